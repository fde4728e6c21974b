// Runs the module of the core, and says what it weighs: node wasm/measure.mjs MODULE
//
// It gets nothing from here. A module that imports anything is refused, for then the core would ask
// its host for something: a clock, say, or random numbers.

import { readFileSync } from 'node:fs'
import { constants, brotliCompressSync, gzipSync } from 'node:zlib'

const bytes = readFileSync(process.argv[2])
const module = new WebAssembly.Module(bytes)

const imports = WebAssembly.Module.imports(module)
if (imports.length > 0) {
  const names = imports.map(({ module, name }) => `${module}.${name}`)
  console.error(`the core imports ${names.join(', ')}`)
  process.exit(1)
}

const { exports } = new WebAssembly.Instance(module)
const status = exports.main(0, 0)
if (status !== 0) {
  console.error(`the node in the module ended with ${status}`)
  process.exit(1)
}

const kilobytes = (size) => `${Math.round(size / 1000)} kB`
const gzip = gzipSync(bytes, { level: constants.Z_BEST_COMPRESSION })
const brotli = brotliCompressSync(bytes)
console.log(
  `the core as a module: ${kilobytes(bytes.length)}, ${kilobytes(gzip.length)} by gzip, ` +
    `${kilobytes(brotli.length)} by Brotli; no imports`
)
