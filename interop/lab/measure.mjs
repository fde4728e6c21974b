/**
 * What a NAT does, found out with plain sockets, in the terms of RFC 4787.
 *
 * Nothing is taken to be lost because it did not come for a while: behind what may not get through
 * follows what does, on the same way, and when that has arrived twice the other would have.
 */
import { ADDRESS, ADDRESS_AND_PORT, INDEPENDENT } from './kinds.mjs';
import { deliver, newText } from './probe.mjs';

/** More than there are before any host. */
const ROUTERS_MAX = 3;

/** Where hosts in the lab send to: two ports of one address, and one of another. */
export class Targets {
  static async open(probe, [first, second]) {
    const targets = new Targets();
    targets.same = await probe.bind(first);
    targets.port = await probe.bind(first);
    targets.address = await probe.bind(second);
    targets.tcp = await probe.listen(first);
    return targets;
  }
}

/** `{tcp, udp, routers, translated, mapping, filtering}` of what is before a host. */
export const measureSite = async (probe, { address, external }, targets) => {
  const tcp = (await probe.connect(targets.tcp)).address === external;
  if (!(await sendsUdp(probe, address, targets))) {
    return { tcp, udp: false };
  }
  return {
    tcp,
    udp: true,
    routers: await countRouters(probe, address, targets),
    ...(await measureMapping(await probe.bind(address), external, targets)),
    filtering: await measureFiltering(await probe.bind(address), targets),
  };
};

/** Whether two hosts reach each other: at their own addresses, and at their external ones. */
export const measureBetween = async (sockets, targets) => {
  const mapped = [];
  for (const socket of sockets) {
    mapped.push(await deliver(socket, targets.same, targets.same));
  }
  return {
    lan: await reachEachOther(sockets, sockets, [targets, mapped]),
    hairpin: await reachEachOther(sockets, mapped, [targets, mapped]),
  };
};

/** Whether datagrams leave at all: a connection made after them would be later than they. */
const sendsUdp = async (probe, address, targets) => {
  const socket = await probe.bind(address);
  const text = newText();
  for (let round = 0; round < 3; round += 1) {
    await probe.send(socket, targets.same, text);
    await probe.connect(targets.tcp);
  }
  return Boolean(targets.same.probe.arrived(targets.same, text));
};

/** How many routers a datagram passes: each takes one off its time to live. */
const countRouters = async (probe, address, targets) => {
  const fence = await probe.bind(address);
  for (let ttl = 1; ttl <= ROUTERS_MAX + 1; ttl += 1) {
    const socket = await probe.bind(address, ttl);
    if (await gets(socket, targets.same, targets.same, [fence, targets.same])) {
      return ttl - 1;
    }
  }
  throw new Error(`more than ${ROUTERS_MAX} routers`);
};

const measureMapping = async (socket, external, targets) => {
  const same = await deliver(socket, targets.same, targets.same);
  const port = await deliver(socket, targets.port, targets.port);
  const address = await deliver(socket, targets.address, targets.address);
  const strangers = [same, port, address].filter((seen) => seen.address !== external);
  if (strangers.length > 0) {
    throw new Error(`seen from ${strangers[0].address} instead of ${external}`);
  }
  const mapping =
    same.port === port.port && same.port === address.port
      ? INDEPENDENT
      : same.port === port.port
        ? ADDRESS
        : ADDRESS_AND_PORT;
  const translated = external !== socket.address;
  return { translated, mapping };
};

/** Only the target `same` is talked to; who else gets in? */
const measureFiltering = async (socket, targets) => {
  const mapped = await deliver(socket, targets.same, targets.same);
  const letsIn = (target) => gets(target, mapped, socket, [targets.same, mapped]);
  if (await letsIn(targets.address)) {
    return INDEPENDENT;
  }
  return (await letsIn(targets.port)) ? ADDRESS : ADDRESS_AND_PORT;
};

/**
 * Whether each of two sockets gets what the other sends to one of `ends`, from where the other
 * looks to be; they have to agree.
 */
const reachEachOther = async ([left, right], ends, [targets, mapped]) => {
  // Both send first, so that neither is a stranger to the other's NAT.
  await left.probe.send(left, ends[1], newText());
  await right.probe.send(right, ends[0], newText());
  const there = await gets(left, ends[1], right, [targets.same, mapped[1]]);
  const back = await gets(right, ends[0], left, [targets.same, mapped[0]]);
  if (Boolean(there) !== Boolean(back)) {
    throw new Error('only one of two hosts reaches the other');
  }
  if (there && (!isEnd(there, ends[0]) || !isEnd(back, ends[1]))) {
    throw new Error(`a host looks like ${there.address} port ${there.port} to its neighbour`);
  }
  return Boolean(there);
};

const isEnd = (seen, { address, port }) => seen.address === address && seen.port === port;

/**
 * The sender, as it looks there, of what `from` sends to `to`, if that comes to `socket`. What the
 * fence sends to its end does come there.
 */
const gets = async (from, to, socket, [fence, end]) => {
  const text = newText();
  for (let round = 0; round < 3; round += 1) {
    await from.probe.send(from, to, text);
    await deliver(fence, end, socket);
  }
  return socket.probe.arrived(socket, text);
};
