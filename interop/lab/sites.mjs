/** Sites as `kinds.mjs` describes them: hosts in namespaces, behind the routers that they have. */
import { MAC, publicAddress } from './internet.mjs';
import { KINDS, SHARED } from './kinds.mjs';
import { SlowLine } from './line.mjs';
import { natRuleset } from './rules.mjs';

/** Ports that the first and the second host behind one NAT choose from: never the same. */
const PORTS = ['20000 39999', '40000 59999'];

/** Two hosts in the internet, and what is removed with them. */
export class Sites {
  #internet;
  #namespaces = [];
  #slots = [];
  #line;

  /** Builds one of `PAIRS`: its `hosts` are two `{namespace, family, address, external}`. */
  static async build(internet, { kinds, shared }) {
    const sites = new Sites();
    sites.#internet = internet;
    try {
      sites.hosts = shared
        ? await sites.#buildShared(SHARED[shared])
        : [await sites.#buildOne(KINDS[kinds[0]], 0), await sites.#buildOne(KINDS[kinds[1]], 1)];
    } catch (error) {
      await sites.remove();
      throw error;
    }
    return sites;
  }

  /** A host with a public address behind a line that delays and loses, and one behind a NAT. */
  static async buildSlow(internet, kind, line) {
    const sites = new Sites();
    sites.#internet = internet;
    try {
      sites.hosts = [await sites.#buildSlow(line), await sites.#buildOne(KINDS[kind], 1)];
    } catch (error) {
      await sites.remove();
      throw error;
    }
    return sites;
  }

  /** Takes the interface of a public host away, and gives it another with another address. */
  async move(host) {
    await host.namespace.ip('link del wan');
    host.address = await this.#internet.attach(host.namespace, this.#takeSlot(), host.family);
    host.external = host.address;
  }

  async remove() {
    await this.#line?.stop();
    await Promise.all(this.#namespaces.map(removeWithInterface));
    this.#slots.forEach((slot) => this.#internet.giveBack(slot));
  }

  async #buildOne({ family, nats }, index) {
    const slot = this.#takeSlot();
    if (nats.length === 0) {
      const namespace = await this.#addHost(slot, 'host', family, index);
      const address = await this.#internet.attach(namespace, slot, family);
      return { namespace, family, address, external: address };
    }
    // From the outermost inwards: each router's inside is the next one's outside.
    const outwards = [...nats].reverse();
    let place = { attach: (router) => this.#internet.attach(router, slot) };
    let external;
    for (const [level, nat] of outwards.entries()) {
      const router = await this.#addRouter(slot, `router${level}`);
      const outside = await place.attach(router);
      external ??= outside;
      const prefix = `${level < outwards.length - 1 ? '100.64' : '192.168'}.${slot}`;
      const lan = await Lan.add(router, 'lan0', prefix);
      await router.nft(natRuleset(nat, { external: outside, inside: `${prefix}.2` }));
      place = { attach: (inner) => lan.attach(inner, 2) };
    }
    const namespace = await this.#addHost(slot, 'host', family, index);
    return { namespace, family, address: await place.attach(namespace), external };
  }

  async #buildSlow(options) {
    const slots = [this.#takeSlot(), this.#takeSlot()];
    const router = await this.#addRouter(slots[0], 'line');
    await this.#internet.attach(router, slots[0]);
    const namespace = await this.#addHost(slots[1], 'host', 4, 0);
    const address = publicAddress(slots[1], 4);
    this.#line = await SlowLine.lay(router, namespace, { address, ...options });
    return { namespace, family: 4, address, external: address };
  }

  async #buildShared(nat) {
    const slots = [this.#takeSlot(), this.#takeSlot()];
    const router = await this.#addRouter(slots[0], 'router0');
    const external = await this.#internet.attach(router, slots[0]);
    const prefixes = slots.map((slot) => `192.168.${slot}`);
    await router.nft(natRuleset(nat, { external, inside: `${prefixes[0]}.2` }));
    const lan = await Lan.add(router, 'lan0', prefixes[0]);
    const other = nat.isolated ? await Lan.add(router, 'lan1', prefixes[1]) : lan;
    const hosts = [
      await this.#addHost(slots[0], 'host0', 4, 0),
      await this.#addHost(slots[0], 'host1', 4, 1),
    ];
    const addresses = [await lan.attach(hosts[0], 2), await other.attach(hosts[1], 3)];
    return hosts.map((namespace, index) => ({
      namespace,
      family: 4,
      address: addresses[index],
      external,
    }));
  }

  async #addHost(slot, role, family, index) {
    const host = await this.#add(slot, role);
    await host.sysctl({
      'net.ipv4.ip_local_port_range': PORTS[index],
      ...(family === 4 && { 'net.ipv6.conf.all.disable_ipv6': 1 }),
      ...(family === 4 && { 'net.ipv6.conf.default.disable_ipv6': 1 }),
    });
    return host;
  }

  async #addRouter(slot, role) {
    const router = await this.#add(slot, role);
    await router.sysctl({
      'net.ipv4.ip_forward': 1,
      'net.ipv4.conf.all.send_redirects': 0,
      'net.ipv4.conf.default.send_redirects': 0,
    });
    return router;
  }

  async #add(slot, role) {
    const namespace = await this.#internet.namespaces.add(`${slot}-${role}`);
    this.#namespaces.push(namespace);
    return namespace;
  }

  #takeSlot() {
    const slot = this.#internet.takeSlot();
    this.#slots.push(slot);
    return slot;
  }
}

/**
 * What is left of a TCP connection whose address is gone keeps a namespace for minutes, and with it
 * an interface whose name somebody else is given.
 */
const removeWithInterface = async (namespace) => {
  await namespace.ip('link del wan').catch(() => {});
  await namespace.remove();
};

/** A network of a router, with it as the first address. */
class Lan {
  #router;
  #name;
  #prefix;

  static async add(router, name, prefix) {
    const lan = new Lan();
    lan.#router = router;
    lan.#name = name;
    lan.#prefix = prefix;
    await router.ip(
      `link add ${name} address ${MAC} type bridge forward_delay 0`,
      `addr add ${prefix}.1/24 dev ${name}`,
      `link set ${name} up`,
    );
    // What stays within the network is none of the router's business.
    await router.sysctl({ 'net.bridge.bridge-nf-call-iptables': 0 });
    return lan;
  }

  /** Gives `namespace` an interface called `wan` here, with the address of this number. */
  async attach(namespace, number) {
    const address = `${this.#prefix}.${number}`;
    const port = `${this.#name}p${number}`;
    await namespace.ip(
      `link add wan type veth peer name ${port} netns ${this.#router.name}`,
      `addr add ${address}/24 dev wan`,
      'link set wan up',
    );
    await this.#router.ip(`link set ${port} master ${this.#name} up`);
    await namespace.ip(`route add default via ${this.#prefix}.1`);
    return address;
  }
}
