// One gossipsub peer in a process of its own, for the bench. One JSON line in: {number, members, quorum, listen, dial,
// payload}. It says "ready" when it hears everybody; then one plan line in: {mode, until_ms, alarms: [[number, at_ms,
// member]…]}, one result line out: [{number, said_ms, quorum_ms, all_ms}…]. It ends when its standard input does.
//
// Each message is verified by gossipsub itself (StrictSign, Ed25519): one verification a message, as with ours.
import { createInterface } from 'node:readline'
import { createLibp2p } from 'libp2p'
import { gossipsub } from '@libp2p/gossipsub'
import { identify } from '@libp2p/identify'
import { noise } from '@chainsafe/libp2p-noise'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@chainsafe/libp2p-yamux'
import { multiaddr } from '@multiformats/multiaddr'

const TOPIC = 'bench'
const HEAD_BYTES = 8
const now = () => performance.timeOrigin + performance.now()
const tell = (what) => process.stdout.write(JSON.stringify(what) + '\n')
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)))

function frame (asked, number) {
  const bytes = new Uint8Array(Math.max(HEAD_BYTES, asked.payload))
  const view = new DataView(bytes.buffer)
  view.setUint32(0, number)
  view.setUint32(4, asked.number)
  return bytes
}

async function start (asked) {
  const node = await createLibp2p({
    addresses: { listen: [asked.listen] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionManager: { maxConnections: 300 },
    services: {
      identify: identify(),
      pubsub: gossipsub({ allowPublishToZeroTopicPeers: true, scoreParams: { IPColocationFactorWeight: 0 } })
    }
  })
  node.services.pubsub.subscribe(TOPIC)
  for (const address of asked.dial) await dial(node, address)
  return node
}

async function dial (node, address) {
  for (let tries = 0; ; tries++) {
    try {
      await node.dial(multiaddr(address))
      return
    } catch (error) {
      if (tries >= 100) throw error
      await sleep(100)
    }
  }
}

async function hearsEverybody (node, asked) {
  const pubsub = node.services.pubsub
  const wanted = asked.members - 1
  while (pubsub.getSubscribers(TOPIC).length < wanted) await sleep(50)
  while (pubsub.getMeshPeers(TOPIC).length < Math.min(wanted, 4)) await sleep(50)
}

class Alarms {
  constructor (node, asked) {
    this.node = node
    this.asked = asked
    this.answers = false
    this.seen = new Map()
    node.services.pubsub.addEventListener('message', (event) => this.heard(event.detail.data))
  }

  of (number) {
    if (!this.seen.has(number)) this.seen.set(number, { number, authors: new Set() })
    return this.seen.get(number)
  }

  heard (data) {
    const view = new DataView(data.buffer, data.byteOffset, data.byteLength)
    const alarm = this.of(view.getUint32(0))
    this.count(alarm, view.getUint32(4))
    if (this.answers && alarm.said_ms === undefined) this.say(alarm.number)
  }

  say (number) {
    const alarm = this.of(number)
    if (alarm.said_ms !== undefined) return
    alarm.said_ms = now()
    this.count(alarm, this.asked.number)
    this.node.services.pubsub.publish(TOPIC, frame(this.asked, number)).catch((error) => console.error(error.message))
  }

  count (alarm, author) {
    alarm.authors.add(author)
    if (alarm.authors.size >= this.asked.quorum) alarm.quorum_ms ??= now()
    if (alarm.authors.size >= this.asked.members) alarm.all_ms ??= now()
  }
}

const input = createInterface({ input: process.stdin })
input.on('close', () => process.exit(0))
const lines = input[Symbol.asyncIterator]()
const asked = JSON.parse((await lines.next()).value)
const node = await start(asked)
const alarms = new Alarms(node, asked)
await hearsEverybody(node, asked)
tell('ready')
for await (const line of lines) {
  const plan = JSON.parse(line)
  alarms.seen.clear()
  alarms.answers = plan.mode === 'answer'
  for (const [number, at_ms, member] of plan.alarms) {
    if (member === asked.number) setTimeout(() => alarms.say(number), Math.max(0, at_ms - now()))
  }
  await sleep(plan.until_ms - now())
  tell([...alarms.seen.values()].map(({ authors, ...told }) => told))
}
process.exit(0)
