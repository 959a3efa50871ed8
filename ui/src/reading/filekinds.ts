/** What a file looks like in a list. Its type is what its sender said. */
import File from '@lucide/svelte/icons/file';
import FileArchive from '@lucide/svelte/icons/file-archive';
import FileText from '@lucide/svelte/icons/file-text';
import Film from '@lucide/svelte/icons/film';
import Image from '@lucide/svelte/icons/image';
import Music from '@lucide/svelte/icons/music';
import Sheet from '@lucide/svelte/icons/sheet';

/** The largest file that goes with a message; the engine has the last word. */
export const MOST_BYTES = 25 << 20;

const KINDS: Array<[RegExp, typeof File]> = [
  [/^image\//, Image],
  [/^video\//, Film],
  [/^audio\//, Music],
  [/spreadsheet|ms-excel|csv/, Sheet],
  [/zip|tar|compressed|7z|rar/, FileArchive],
  [/^text\/|pdf|word|opendocument|rtf|json|xml|message\//, FileText],
];

export function icon(mediaType: string): typeof File {
  return KINDS.find(([kind]) => kind.test(mediaType))?.[1] ?? File;
}
