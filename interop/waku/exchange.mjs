// Waku's own JavaScript client against a service node:
//
//   node exchange.mjs /ip4/127.0.0.1/tcp/PORT/ws/p2p/ID
//
// One light node subscribes, another one pushes. Ends with status 0 when the message arrived, and
// with 1 and a reason when it did not.

import './node20.mjs'

import { randomUUID } from 'node:crypto'
import { Protocols, createDecoder, createLightNode } from '@waku/sdk'

/** Longer than it takes, in milliseconds. */
const DEADLINE = 30_000

const NETWORK = { clusterId: 1, numShardsInCluster: 8 }

async function lightNode(address) {
  const node = await createLightNode({
    bootstrapPeers: [address],
    defaultBootstrap: false,
    networkConfig: NETWORK,
    // Without this, plain `ws` is never dialled.
    libp2p: { filterMultiaddrs: false },
  })
  await node.start()
  await node.waitForPeers([Protocols.Filter, Protocols.LightPush], DEADLINE)
  return node
}

async function exchange(address) {
  const [listener, speaker] = await Promise.all([lightNode(address), lightNode(address)])
  const contentTopic = `/trystero-${randomUUID()}/0/msg/json`
  const encoder = speaker.createEncoder({ contentTopic, ephemeral: true })
  const text = JSON.stringify({ peerId: 'somebody' })

  const arrived = Promise.withResolvers()
  const decoder = createDecoder(contentTopic, encoder.routingInfo ?? encoder.pubsubTopicShardInfo)
  const subscribed = await listener.filter.subscribe(decoder, message => {
    arrived.resolve(new TextDecoder().decode(message.payload))
  })
  if (!subscribed) throw new Error('the node refused the subscription')

  const sent = await speaker.lightPush.send(encoder, { payload: new TextEncoder().encode(text) })
  if (sent.failures.length > 0) throw new Error(`not pushed: ${JSON.stringify(sent.failures)}`)

  const got = await arrived.promise
  if (got !== text) throw new Error(`not what was pushed: ${got}`)
  await Promise.all([listener.stop(), speaker.stop()])
}

const fail = why => {
  console.error(why)
  process.exit(1)
}
setTimeout(() => fail('nothing arrived in time'), DEADLINE).unref()
exchange(process.argv[2]).then(() => {
  console.log('a message arrived')
  process.exit(0)
}, fail)
