/** A measured peer as the script of a page, which `browser.mjs` serves and calls. */
import { Peer } from './peer.mjs';

globalThis.peer = new Peer();
