// What libp2p expects of its platform and Node.js 20 does not have. Import it before anything else.

Promise.withResolvers ??= function () {
  const it = {}
  it.promise = new this((resolve, reject) => Object.assign(it, { resolve, reject }))
  return it
}
