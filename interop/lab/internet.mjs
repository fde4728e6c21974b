/**
 * The public internet: one segment that every site has an interface on, and the servers.
 *
 * It forwards nothing, so a packet to a private address, or to one that nobody has, is lost; and
 * silently, as it is there: a TURN server gives up an allocation that has no route. Addresses are
 * of the ranges for documentation (RFC 5737, RFC 3849).
 */

/** Where the servers are, and where the proof listens. */
export const ADDRESSES = {
  4: {
    gateway: '203.0.113.1',
    turn: '203.0.113.2',
    turnOther: '203.0.113.3',
    targets: ['203.0.113.4', '203.0.113.5'],
  },
  6: {
    gateway: '2001:db8::1',
    turn: '2001:db8::2',
    turnOther: '2001:db8::3',
    targets: ['2001:db8::4', '2001:db8::5'],
  },
};

/** A bridge without one of its own changes its address with its ports, and neighbours lose it. */
export const MAC = '02:00:00:00:00:01';

/** Public addresses that sites may have: those of the segment without the servers'. */
const SLOTS = { first: 16, last: 250 };

export class Internet {
  #free = [];

  static async open(namespaces) {
    const internet = new Internet();
    internet.namespaces = namespaces;
    internet.namespace = await namespaces.add('internet');
    await internet.namespace.ip(
      `link add net address ${MAC} type bridge forward_delay 0`,
      'link set net up',
      // Nobody is asked for a neighbour there, and what comes out of its other end is for nobody.
      'link add nowhere type veth peer name void',
      'link set void up',
      'link set nowhere arp off up',
      ...flat(ADDRESSES[4]).map((address) => `addr add ${address}/24 dev net`),
      ...flat(ADDRESSES[6]).map((address) => `addr add ${address}/64 dev net nodad`),
      'route add default dev nowhere',
      'route add ::/0 dev nowhere',
    );
    for (let slot = SLOTS.first; slot <= SLOTS.last; slot += 1) {
      internet.#free.push(slot);
    }
    return internet;
  }

  /** A number that no site has now; its addresses come from it. To be given back. */
  takeSlot() {
    const slot = this.#free.shift();
    if (slot === undefined) {
      throw new Error('there are more sites than addresses');
    }
    return slot;
  }

  /** The one that was free longest is taken next, so that nobody's late packets matter. */
  giveBack(slot) {
    this.#free.push(slot);
  }

  /** Puts an interface called `wan` into `namespace`, with the public address of `slot`. */
  async attach(namespace, slot, family = 4) {
    const address = publicAddress(slot, family);
    const network = family === 4 ? '/24' : '/64 nodad';
    await namespace.ip(
      `link add wan type veth peer name site${slot} netns ${this.namespace.name}`,
      `addr add ${address}${network} dev wan`,
      'link set wan up',
    );
    await this.namespace.ip(`link set site${slot} master net up`);
    await namespace.ip(`route add default via ${ADDRESSES[family].gateway}`);
    return address;
  }
}

/** The public address that goes with a slot. */
export const publicAddress = (slot, family) =>
  family === 4 ? `203.0.113.${slot}` : `2001:db8::${slot.toString(16)}`;

const flat = ({ targets, ...others }) => [...Object.values(others), ...targets];
