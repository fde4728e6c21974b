/** A tree of JSON as Firebase keeps it: nothing is empty, and paths are lists of keys. */

/** What no key may have in it. */
const FORBIDDEN = /[.#$[\]/\u0000-\u001f\u007f]/;
const DEPTH_MAX = 32;

/** The keys of a path as clients write it, or nothing if it is none. */
export const parsePath = (text) => {
  if (typeof text !== 'string') {
    return undefined;
  }
  const path = text.split('/').filter((key) => key !== '');
  return path.length <= DEPTH_MAX && !path.some((key) => FORBIDDEN.test(key)) ? path : undefined;
};

/** Whether `path` is `root` or lies below it. */
export const isWithin = (root, path) => root.every((key, i) => path[i] === key);

/** Whether all keys in `value` may be keys. */
export const isStorable = (value) =>
  !isBranch(value) ||
  Object.entries(value).every(
    ([key, child]) => !FORBIDDEN.test(key) && key !== '' && isStorable(child),
  );

/** Whether all keys of `children` may be paths, and what goes there may be stored. */
export const isMergeable = (children) =>
  isBranch(children) &&
  Object.entries(children).every(([path, child]) => parsePath(path) && isStorable(child));

export class Tree {
  #root = null;

  /** What is at `path`; `null` if nothing is. */
  get(path) {
    return path.reduce((node, key) => (isBranch(node) ? (node[key] ?? null) : null), this.#root);
  }

  /** Replaces what is at `path`, and removes what it leaves empty. */
  set(path, value) {
    this.#root = replace(this.#root, path, value);
  }
}

const isBranch = (node) => typeof node === 'object' && node !== null;

const replace = (node, [key, ...rest], value) => {
  if (key === undefined) {
    return prune(value);
  }
  const children = isBranch(node) ? { ...node } : {};
  children[key] = replace(children[key] ?? null, rest, value);
  return dropEmpty(children);
};

const prune = (value) =>
  isBranch(value)
    ? dropEmpty(
        Object.fromEntries(Object.entries(value).map(([key, child]) => [key, prune(child)])),
      )
    : value;

const dropEmpty = (children) => {
  const kept = Object.entries(children).filter(([, child]) => child !== null);
  return kept.length > 0 ? Object.fromEntries(kept) : null;
};
