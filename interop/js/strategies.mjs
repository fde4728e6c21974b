/** The strategies that an agent may be told to load beside the WebSocket relay's. */

/** What each is imported from, seen from here. */
const MODULES = {
  ws: './ws-relay.mjs',
  nostr: '@trystero-p2p/nostr',
  mqtt: '@trystero-p2p/mqtt',
  torrent: '@trystero-p2p/torrent',
  supabase: '@trystero-p2p/supabase',
  firebase: './firebase.mjs',
  ipfs: './ipfs.mjs',
};

/** The option that names them, separated by commas, and its value where it is not given. */
export const STRATEGIES_OPTION = { strategies: { type: 'string', default: '' } };

/** Loads what an option names, by name. */
export const loadStrategies = async (option) => {
  const names = namesIn(option);
  const modules = await Promise.all(names.map((name) => import(MODULES[name])));
  return Object.fromEntries(names.map((name, i) => [name, modules[i]]));
};

/** The source of a module, beside this one, that exports as `strategies` what an option names. */
export const strategiesSource = (option) => {
  const names = namesIn(option);
  const imports = names.map((name) => `import * as ${name} from '${MODULES[name]}';`);
  return [...imports, `export const strategies = { ${names.join(', ')} };`].join('\n');
};

const namesIn = (option) => {
  const names = [...new Set(['ws', ...option.split(',').filter((name) => name !== '')])];
  const unknown = names.find((name) => !Object.hasOwn(MODULES, name));
  if (unknown !== undefined) {
    throw new Error(`--strategies names some of ${Object.keys(MODULES).join(', ')}`);
  }
  return names;
};
