/**
 * The kinds of site, in the terms of RFC 4787: what stands between a host and the internet.
 *
 * This is all that is said of them. The rules of the kernel, what the proof of the lab expects and
 * what the theory derives come from here.
 */

/** Of mapping: one external port for all that a host's port talks to. Of filtering: none. */
export const INDEPENDENT = 'endpoint-independent';
/** Lets in whoever has an address that was talked to. */
export const ADDRESS = 'address-dependent';
/** Of mapping: another port for each remote port. Of filtering: only who was talked to. */
export const ADDRESS_AND_PORT = 'address-and-port-dependent';

const PORT_RESTRICTED = { mapping: INDEPENDENT, filtering: ADDRESS_AND_PORT };

/**
 * Each kind has its family of addresses and the NATs before it, the innermost first: `mapping`,
 * `filtering`, `udp` if that is `false`.
 */
export const KINDS = {
  public: { family: 4, nats: [] },
  'full-cone': { family: 4, nats: [{ mapping: INDEPENDENT, filtering: INDEPENDENT }] },
  'address-restricted': { family: 4, nats: [{ mapping: INDEPENDENT, filtering: ADDRESS }] },
  'port-restricted': { family: 4, nats: [PORT_RESTRICTED] },
  symmetric: { family: 4, nats: [{ mapping: ADDRESS_AND_PORT, filtering: ADDRESS_AND_PORT }] },
  cgnat: { family: 4, nats: [PORT_RESTRICTED, PORT_RESTRICTED] },
  'udp-blocked': { family: 4, nats: [{ ...PORT_RESTRICTED, udp: false }] },
  'ipv6-only': { family: 6, nats: [] },
};

/**
 * Two hosts behind one NAT. `isolated` keeps them from each other's own addresses, as a guest
 * network does; `hairpin` lets them meet at their external ones (RFC 4787, section 6).
 */
export const SHARED = {
  'one-lan': { ...PORT_RESTRICTED, isolated: false, hairpin: false },
  hairpin: { ...PORT_RESTRICTED, isolated: true, hairpin: true },
  'no-hairpin': { ...PORT_RESTRICTED, isolated: true, hairpin: false },
};

/** Every pair there is: two sites of any kinds, in no order, or two hosts behind one NAT. */
export const PAIRS = [
  ...Object.keys(KINDS).flatMap((left, index, kinds) =>
    kinds.slice(index).map((right) => ({ name: `${left} × ${right}`, kinds: [left, right] })),
  ),
  ...Object.keys(SHARED).map((shared) => ({ name: shared, shared })),
];
