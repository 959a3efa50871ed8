/** The one door to the engine: commands, events, links, the time. */
export { call, listen, openLink, now } from '#backend';
export { isFailure, toFailure } from './failure';
export type * from './bindings';
