/**
 * What libp2p expects of JavaScript and Node 20 does not have. To be imported before what needs it.
 */
Promise.withResolvers ??= function withResolvers() {
  const deferred = {};
  deferred.promise = new this((resolve, reject) => Object.assign(deferred, { resolve, reject }));
  return deferred;
};
