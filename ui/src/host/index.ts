/** The one door to the engine: commands, events, links, the time. */
export { attachFile, call, listen, lookAtLink, openLink, now } from '#backend';
export { isFailure, toFailure } from './failure';
export type { LinkTarget } from './link';
export type * from './bindings';
