/**
 * A line that delays packets and loses some: there is not everywhere a `netem` in the kernel.
 *
 * The router at its end sends all that it forwards through a TUN device, behind which a program
 * holds it back. It answers for the host's address, which is a public one, so it has no NAT.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { keepUntilExit } from '../tests/processes.mjs';

const PROGRAM = fileURLToPath(new URL('line.py', import.meta.url));

/** The router's address on the line: nobody else sees it. */
const GATEWAY = '169.254.0.1';

export class SlowLine {
  #process;
  #closed;

  /** Connects `host` to a router that is in the internet; each way takes `delayMs`. */
  static async lay(router, host, { address, delayMs, lossPercent }) {
    const line = new SlowLine();
    const { command, args } = router.inside('python3', [PROGRAM, `${delayMs}`, `${lossPercent}`]);
    line.#process = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    keepUntilExit(line.#process);
    line.#closed = once(line.#process, 'close');
    await Promise.race([once(line.#process.stdout, 'data'), line.#failed()]);
    await host.ip(
      `link add wan type veth peer name lan0 netns ${router.name}`,
      `addr add ${address}/32 dev wan`,
      'link set wan up',
    );
    await router.ip(
      `addr add ${GATEWAY}/32 dev lan0`,
      'link set lan0 up',
      'link set slow up txqueuelen 10000',
      `route add ${address} dev lan0`,
      `neigh add proxy ${address} dev wan`,
      'route add default dev slow table 7',
      'rule add iif lan0 table 7',
      'rule add iif wan table 7',
    );
    await host.ip(`route add default via ${GATEWAY} dev wan onlink`);
    return line;
  }

  async stop() {
    this.#process.stdin.end();
    await this.#closed;
  }

  async #failed() {
    await this.#closed;
    throw new Error('the slow line ended before it was laid');
  }
}
