/**
 * The internet of the lab in the small: hosts, NATs and what they let through, by RFC 4787.
 *
 * It has no time: packets arrive at once or never, and no mapping is ever forgotten. A packet goes
 * up from a host through its NATs, and down again where its target is.
 */
import { ADDRESS, ADDRESS_AND_PORT, INDEPENDENT } from './kinds.mjs';

/** Ends of packets are `{address, port}`, and this is what tells them apart. */
export const keyOf = ({ address, port }) => `${address} ${port}`;

export const familyOf = (address) => (address.includes(':') ? 6 : 4);

/** What several NATs in a row are together: as strict as the strictest. */
export const compose = (nats) => {
  const strictest = (of) =>
    STRICTNESS[Math.max(0, ...nats.map((nat) => STRICTNESS.indexOf(nat[of])))];
  return {
    udp: nats.every(({ udp }) => udp !== false),
    mapping: strictest('mapping'),
    filtering: strictest('filtering'),
  };
};

const STRICTNESS = [INDEPENDENT, ADDRESS, ADDRESS_AND_PORT];

/** Where every public address is. */
export class Internet {
  #places = new Map();

  add(address, place) {
    this.#places.set(address, place);
  }

  /** Carries a packet `{source, target}`; returns who got it as `{receiver, source}`, if any. */
  up({ source, target }) {
    return familyOf(source.address) === familyOf(target.address)
      ? this.#places.get(target.address)?.down({ source, target })
      : undefined;
  }
}

/** A NAT, with a network behind it. */
export class Nat {
  #behaviour;
  #outside;
  #external;
  #inside = new Map();
  #mappings = new Map();
  #contacts = new Map();
  #ports = 0;

  constructor(behaviour, outside, external) {
    this.#behaviour = behaviour;
    this.#outside = outside;
    this.#external = external;
    outside.add(external, this);
  }

  add(address, place) {
    this.#inside.set(address, place);
  }

  up({ source, target }) {
    const neighbour = this.#inside.get(target.address);
    if (neighbour) {
      return this.#behaviour.isolated ? undefined : neighbour.down({ source, target });
    }
    if (this.#behaviour.udp === false) {
      return undefined;
    }
    const mapped = this.#map(source, target);
    if (target.address !== this.#external) {
      return this.#outside.up({ source: mapped, target });
    }
    return this.#behaviour.hairpin ? this.#hairpin({ source: mapped, target }) : undefined;
  }

  down({ source, target }) {
    const contacts = this.#contacts.get(target.port) ?? [];
    const isLetIn = contacts.some((contact) => FILTERS[this.#behaviour.filtering](contact, source));
    return isLetIn ? this.#deliver({ source, target }) : undefined;
  }

  /** Who is inside and looks outside is not filtered. */
  #hairpin(packet) {
    return this.#contacts.has(packet.target.port) ? this.#deliver(packet) : undefined;
  }

  #deliver({ source, target }) {
    const { source: inner } = this.#contacts.get(target.port)[0];
    return this.#inside.get(inner.address).down({ source, target: inner });
  }

  /** The external end of `source` towards `target`, which has been contacted from it now. */
  #map(source, target) {
    const dependsOn = { [INDEPENDENT]: '', [ADDRESS_AND_PORT]: keyOf(target) };
    const key = `${keyOf(source)} ${dependsOn[this.#behaviour.mapping]}`;
    if (!this.#mappings.has(key)) {
      this.#ports += 1;
      this.#mappings.set(key, { address: this.#external, port: this.#ports });
      this.#contacts.set(this.#ports, []);
    }
    const mapped = this.#mappings.get(key);
    this.#contacts.get(mapped.port).push({ source, target });
    return mapped;
  }
}

/** Whether a packet of `source` is let in to a port that has sent to `target`. */
const FILTERS = {
  [INDEPENDENT]: () => true,
  [ADDRESS]: ({ target }, source) => target.address === source.address,
  [ADDRESS_AND_PORT]: ({ target }, source) => keyOf(target) === keyOf(source),
};

/** A host, or a relay's ports: whoever has sockets at an address. */
export class Host {
  #network;
  #sockets = new Map();

  constructor(network, address) {
    this.#network = network;
    this.address = address;
    network.add(address, this);
  }

  /** A new socket; `accepts(source)` may refuse packets, as a TURN server does. */
  open({ accepts = () => true, ...fields } = {}) {
    const end = { address: this.address, port: this.#sockets.size + 1 };
    const socket = { ...fields, end, send: (target) => this.#network.up({ source: end, target }) };
    this.#sockets.set(end.port, { socket, accepts });
    return socket;
  }

  down({ source, target }) {
    const open = this.#sockets.get(target.port);
    return open?.accepts(source) ? { receiver: open.socket, source } : undefined;
  }
}
