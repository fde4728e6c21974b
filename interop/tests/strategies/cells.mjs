/** The cells of the matrix: what any two peers do by any strategy. */
import { join, joined, leaveAnyhow } from '../rooms.mjs';
import {
  assertBothTalking,
  assertMetOnce,
  assertParting,
  assertTalking,
  inRoom,
  meetInTurn,
  roomFor,
} from './room.mjs';

/** How a room is joined in each cell that two peers fill alone. */
const ALONE = {
  open: { first: {}, second: {} },
  password: { first: { password: 'Geheimnis' }, second: { password: 'Geheimnis' } },
  passive: { first: { passive: true }, second: {} },
};

/** What the columns of the matrix are called. */
export const COLUMNS = [...Object.keys(ALONE), 'restart'];

/**
 * Two peers meet, talk and part: `first` joins before `second`. Two of npm's Trystero only meet and
 * talk, for what they see of each other's leaving is not always the same.
 */
export const runAlone = (cast, cell, [first, second], { config, parting }) =>
  inRoom(cast, [first, second], config, async (room) => {
    await join(cast, first, room, { ...config, ...ALONE[cell].first });
    await join(cast, second, room, { ...config, ...ALONE[cell].second });
    await joined([first, second], room);
    await assertBothTalking(room, [first, second]);
    if (parting) {
      await assertParting(room, [first, second]);
    }
  });

/** Peers under whom the server went away and came back, and one that came to them then. */
export class Restart {
  #cast;
  #room;
  #peers;
  #late;

  /** Has `peers` meet, restarts their server, and has `late` join them when all are back. */
  static async under(cast, { peers, late, server, config }) {
    const restart = new Restart();
    restart.#cast = cast;
    restart.#room = roomFor(config);
    restart.#peers = peers;
    restart.#late = late;
    try {
      await meetInTurn(cast, peers, restart.#room, config);
      // There may be more: whoever has left closes its link later, or keeps it.
      const links = Math.min(server.links, peers.length);
      await server.drop();
      await assertTalking(restart.#room, peers.slice(0, 1), peers.slice(1));
      await server.restart();
      await server.connected(links);
      await join(cast, late, restart.#room, config);
      return restart;
    } catch (error) {
      throw await cast.explain(error);
    }
  }

  /** That two of them did not lose each other, talk, and meet who is late. */
  async check([left, right]) {
    try {
      await joined([left, right, this.#late], this.#room);
      await assertTalking(this.#room, [left], [right, this.#late]);
      await assertTalking(this.#room, [right], [left, this.#late]);
      await assertTalking(this.#room, [this.#late], [left, right]);
      assertMetOnce(this.#room, left, right, this.#late);
    } catch (error) {
      throw await this.#cast.explain(error);
    }
  }

  /** Has all leave. */
  async end() {
    await leaveAnyhow([...this.#peers, this.#late], this.#room);
  }
}
