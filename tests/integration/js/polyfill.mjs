// Node 20 lacks Promise.withResolvers, which libp2p 3 calls at start. Loaded with --import, before anything else.
Promise.withResolvers ??= function withResolvers () {
  let resolve, reject
  const promise = new this((yes, no) => { resolve = yes; reject = no })
  return { promise, resolve, reject }
}
