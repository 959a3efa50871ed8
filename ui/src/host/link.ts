/** A link as it would be opened. */
export type LinkTarget = {
  /** The whole link, in the one way every program reads it. */
  url: string;
  /** The host, in ASCII so that look-alike letters show, or the mail address. */
  to: string;
  /** It opens the mail program. */
  mail: boolean;
};
