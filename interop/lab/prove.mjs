/** The proof that every NAT of the lab is what its name says. */
import { ADDRESSES } from './internet.mjs';
import { KINDS, SHARED } from './kinds.mjs';
import { Targets, measureBetween, measureSite } from './measure.mjs';
import { compose } from './model.mjs';
import { Probe } from './probe.mjs';
import { Sites } from './sites.mjs';

/** Each of its steps gives what is `expected` and what was `measured`. */
export class Proof {
  static async open(internet) {
    const proof = new Proof();
    proof.internet = internet;
    proof.probe = new Probe(internet.namespace);
    proof.targets = {
      4: await Targets.open(proof.probe, ADDRESSES[4].targets),
      6: await Targets.open(proof.probe, ADDRESSES[6].targets),
    };
    return proof;
  }

  /** What is to be proved, each by a call. */
  get steps() {
    return [
      ...Object.keys(KINDS).map((kind) => ({ name: kind, run: () => this.#proveKind(kind) })),
      ...Object.keys(SHARED).map((kind) => ({ name: kind, run: () => this.#proveShared(kind) })),
    ];
  }

  async close() {
    await this.probe.stop();
  }

  #proveKind(kind) {
    const { family } = KINDS[kind];
    return this.#with({ kinds: [kind, 'public'] }, async ([host], [probe]) => ({
      expected: expectedOfKind(KINDS[kind]),
      measured: {
        families: await this.#familiesOf(probe),
        ...(await measureSite(probe, host, this.targets[family])),
      },
    }));
  }

  /** The families of addresses by which a host reaches anything. */
  async #familiesOf(probe) {
    const families = [];
    for (const family of [4, 6]) {
      const reached = await probe.connect(this.targets[family].tcp).catch(() => undefined);
      families.push(...(reached ? [family] : []));
    }
    return families;
  }

  #proveShared(shared) {
    return this.#with({ shared }, async (hosts, probes) => {
      const sockets = [];
      for (const [index, probe] of probes.entries()) {
        sockets.push(await probe.bind(hosts[index].address));
      }
      return {
        expected: { lan: !SHARED[shared].isolated, hairpin: SHARED[shared].hairpin },
        measured: await measureBetween(sockets, this.targets[4]),
      };
    });
  }

  async #with(pair, measure) {
    const sites = await Sites.build(this.internet, pair);
    const probes = sites.hosts.map(({ namespace }) => new Probe(namespace));
    try {
      return await measure(sites.hosts, probes);
    } finally {
      await Promise.all(probes.map((probe) => probe.stop()));
      await sites.remove();
    }
  }
}

const expectedOfKind = ({ family, nats }) => {
  const { udp, ...behaviour } = compose(nats);
  const common = { families: [family], tcp: true, udp };
  return udp
    ? { ...common, routers: nats.length, translated: nats.length > 0, ...behaviour }
    : common;
};
