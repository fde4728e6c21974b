/**
 * What has to become of each pair with each set of servers: ICE (RFC 8445), played on the model.
 *
 * Both gather, tell each other their candidates and check every pair until nothing new comes of
 * it. Nothing here knows a kind of NAT by its name.
 */
import { KINDS, SHARED } from './kinds.mjs';
import { Host, Internet, Nat, familyOf, keyOf } from './model.mjs';

/** Servers that peers may be given: what each tells or gives them, and over what it is reached. */
export const SERVERS = {
  'no STUN': {},
  STUN: { reflexive: true },
  'TURN/UDP': { reflexive: true, relay: 'udp' },
  'TURN/TCP': { relay: 'tcp' },
  'TURN/TLS': { relay: 'tls' },
};

/** Why a side of a pair that does not connect has to say so. */
export const REASONS = {
  NO_ROUTE: 'no-route-without-turn',
  UDP_BLOCKED: 'udp-blocked',
  TURN_UNREACHABLE: 'turn-unreachable',
  NO_ANSWER: 'no-answer',
};

/** Checks open NATs for others: by so many rounds there is nothing left to open. */
const ROUNDS = 4;

/**
 * `{connects: true, isDirect, sides}` or `{connects: false, sides}`. Each of the two `sides` has
 * the sets of types of candidates that it may tell as `local` and `remote`, or of `reasons`.
 */
export const predict = (pair, servers) => {
  const turn = SERVERS[servers];
  const peers = place(pair).map((host) => gather(host, turn));
  const paths = check(peers);
  if (paths.length === 0) {
    return { connects: false, sides: whyNot(peers, turn) };
  }
  // A path without a relay has the higher priority, whatever else is on it.
  const direct = paths.filter((path) => path.every(({ base }) => base.type === 'host'));
  const best = direct.length > 0 ? direct : paths;
  return {
    connects: true,
    isDirect: direct.length > 0,
    sides: [0, 1].map((side) => ({
      local: union(best.map((path) => path[side].local)),
      remote: union(best.map((path) => path[side].remote)),
    })),
  };
};

/** Two hosts, with the servers that they can be given. */
const place = ({ kinds, shared }) => {
  const internet = new Internet();
  const stun = { 4: new Host(internet, '203.0.113.2'), 6: new Host(internet, '2001:db8::2') };
  const withServers = (host) => ({ host, stun: stun[familyOf(host.address)], turn: stun[4] });
  if (shared) {
    const nat = new Nat(SHARED[shared], internet, '203.0.113.16');
    return ['192.168.16.2', '192.168.16.3'].map((address) => withServers(new Host(nat, address)));
  }
  return kinds.map((kind, index) => {
    const { family, nats } = KINDS[kind];
    const external = family === 4 ? `203.0.113.${16 + index}` : `2001:db8::${16 + index}`;
    const innermost = [...nats]
      .reverse()
      .reduce(
        (outside, nat, level) =>
          new Nat(nat, outside, level === 0 ? external : `100.64.${index}.2`),
        internet,
      );
    return withServers(new Host(innermost, nats.length > 0 ? `192.168.${index}.2` : external));
  });
};

/**
 * A peer with its candidates: `bases` are what it sends from, `candidates` what others send to. A
 * TURN server gives an IPv4 address whoever asks (RFC 8656, section 7.2), and lets in the addresses
 * of candidates that its client knows of.
 */
const gather = ({ host, stun, turn }, { reflexive, relay }) => {
  const peer = { bases: [], candidates: [], remotes: new Map(), allowed: new Set() };
  const addBase = (type, base) => {
    peer.bases.push(base);
    peer.candidates.push({ type, end: base.end });
  };
  addBase('host', host.open({ type: 'host', peer }));
  const seen = peer.bases[0].send(stun.open().end)?.source;
  peer.isUdpBlocked = !seen;
  if (reflexive && seen && keyOf(seen) !== keyOf(peer.bases[0].end)) {
    peer.candidates.push({ type: 'srflx', end: seen });
  }
  peer.hasRelay = Boolean(relay) && !(relay === 'udp' && peer.isUdpBlocked);
  if (peer.hasRelay) {
    const accepts = ({ address }) => peer.allowed.has(address);
    addBase('relay', turn.open({ type: 'relay', peer, accepts }));
  }
  return peer;
};

/** The paths that checks find, as the two sides see each: `{base, local, remote}`. */
const check = (peers) => {
  peers.forEach((peer, index) =>
    peers[1 - index].candidates.forEach((candidate) => learn(peer, candidate)),
  );
  const paths = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    peers.forEach((peer, index) =>
      peer.bases.forEach((base) =>
        [...peer.remotes.values()].forEach(({ end }) => {
          const path = checkOne(base, end);
          if (path) {
            paths.push(index === 0 ? path : path.reverse());
          }
        }),
      ),
    );
  }
  return paths;
};

/** A request from `base` to `end` and its response: what both sides make of them. */
const checkOne = (base, end) => {
  const request = base.send(end);
  if (!request) {
    return undefined;
  }
  const { receiver, source } = request;
  learn(receiver.peer, { type: 'prflx', end: source });
  const response = receiver.send(source);
  if (response?.receiver !== base) {
    return undefined;
  }
  return [sideOf(base, source, end), sideOf(receiver, end, source)];
};

const learn = (peer, candidate) => {
  const key = keyOf(candidate.end);
  if (!peer.remotes.has(key)) {
    peer.remotes.set(key, candidate);
  }
  peer.allowed.add(candidate.end.address);
};

/**
 * What a side may tell of a path: `mapped` is how the other sees it, `end` where it sends to. Some
 * tell the base of a local candidate, others the candidate that the other side sees. A candidate is
 * peer-reflexive if a check was quicker than the server, or than the signal.
 */
const sideOf = (base, mapped, end) => {
  const { peer } = base;
  const known = peer.candidates.find((candidate) => keyOf(candidate.end) === keyOf(mapped));
  const reflexive = [known?.type ?? 'prflx', 'prflx'];
  return {
    base,
    local: known?.type === base.type ? new Set([base.type]) : new Set([base.type, ...reflexive]),
    remote: new Set([peer.remotes.get(keyOf(end)).type, 'prflx']),
  };
};

/** For a pair without a path: the reasons that each side may give. */
const whyNot = (peers, { reflexive, relay }) =>
  peers.map((peer, index) => {
    const hasAsked = Boolean(reflexive) || relay === 'udp';
    if (peer.isUdpBlocked && hasAsked) {
      const reasons = [REASONS.UDP_BLOCKED, ...(relay ? [REASONS.TURN_UNREACHABLE] : [])];
      return { reasons: new Set(reasons) };
    }
    const hasRelay = peer.hasRelay || peers[1 - index].hasRelay;
    return { reasons: new Set([hasRelay ? REASONS.NO_ANSWER : REASONS.NO_ROUTE]) };
  });

const union = (sets) => new Set(sets.flatMap((set) => [...set]));
