// libp2p: TCP, Noise, yamux; one link to each other member ("The wire", "Who leads").
import { randomBytes } from 'node:crypto'
import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import { gossipsub } from '@libp2p/gossipsub'
import { identify } from '@libp2p/identify'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { tcp } from '@libp2p/tcp'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { hex, sha256 } from '../lib/bytes.mjs'
import { encodeControl, encodeFrame, FRAME_MAX, FrameReader, PING, PONG } from './framing.mjs'

const PROTOCOLS = { entries: '/tocsin/entries/1', sync: '/tocsin/sync/1' }
const PING_EVERY_MS = 2000
const PING_MISSES = 3
const FOLLOWER_WAIT_MS = 3000
const DIAL_AGAIN_MS = [200, 5000]
const OPEN_MS = 10000
const QUEUE_MAX = 512
const EARLY_MAX = 64
const GOSSIP_MAX = 64 * 1024

export const keyPairOf = seed => generateKeyPairFromSeed('Ed25519', seed)
export const peerIdOf = async seed => peerIdFromPrivateKey(await keyPairOf(seed)).toString()

/** One connection while its member streams stand. */
class Session {
  constructor (wire, peer, connection) {
    Object.assign(this, { wire, peer, connection, inbound: {}, outbound: {}, queued: { entries: 0, sync: 0 }, tail: {}, up: false, pings: new Map(), opening: null, early: [] })
    this.late = setTimeout(() => this.end('the member streams did not all open'), OPEN_MS)
  }

  /** Opens our two streams; both sides do, each writes on its own. */
  open () {
    this.opening ??= Promise.all(Object.entries(PROTOCOLS).map(async ([channel, protocol]) => {
      this.outbound[channel] = await this.connection.newStream(protocol)
      this.tail[channel] = Promise.resolve()
    })).then(() => this.settle(), fault => this.end(`could not open: ${fault.message}`))
    return this.opening
  }

  take (channel, stream) {
    if (this.inbound[channel] !== undefined) return this.end('a second stream of one protocol')
    this.inbound[channel] = stream
    const reader = new FrameReader(FRAME_MAX[channel])
    stream.addEventListener('message', event => {
      try {
        for (const frame of reader.feed(event.data.subarray())) this.heed(channel, frame)
      } catch (fault) {
        this.end(fault.message)
      }
    })
    for (const word of ['remoteCloseWrite', 'close']) stream.addEventListener(word, () => this.end('the stream was closed'))
    this.settle()
  }

  settle () {
    if (this.up || ['entries', 'sync'].some(one => this.inbound[one] === undefined || this.tail[one] === undefined)) return
    this.up = true
    clearTimeout(this.late)
    this.pinger = setInterval(() => this.ping(), PING_EVERY_MS)
    this.wire.on.up(this.peer)
    for (const [channel, raw] of this.early.splice(0)) this.wire.on.frame(this.peer, channel, raw)
  }

  heed (channel, frame) {
    // the other end may find all streams open before we do; what it asks then it asks once
    if (frame.raw !== undefined && !this.up) {
      if (this.early.length < EARLY_MAX) this.early.push([channel, frame.raw])
    } else if (frame.raw !== undefined) this.wire.on.frame(this.peer, channel, frame.raw)
    else if (frame.kind === PING) this.write('entries', encodeControl(PONG, frame.nonce))
    else this.pings.clear()
  }

  ping () {
    if (this.pings.size >= PING_MISSES) return this.end(`${PING_MISSES} pings unanswered`)
    const nonce = randomBytes(8)
    this.pings.set(hex(nonce), true)
    this.write('entries', encodeControl(PING, nonce))
  }

  send (channel, raw) {
    return this.up && this.write(channel, encodeFrame(raw))
  }

  write (channel, bytes) {
    if (this.queued[channel] >= QUEUE_MAX || this.tail[channel] === undefined) return false
    this.queued[channel] += 1
    this.tail[channel] = this.tail[channel].then(async () => {
      const stream = this.outbound[channel]
      if (!stream.send(bytes)) await stream.onDrain()
    }).catch(fault => this.end(fault.message)).finally(() => { this.queued[channel] -= 1 })
    return true
  }

  end (why) {
    if (this.ended) return
    this.ended = true
    clearTimeout(this.late)
    clearInterval(this.pinger)
    this.connection.close().catch(() => {})
    this.wire.gone(this, why)
  }
}

/** on: {up(peer), down(peer, why), frame(peer, channel, raw)}. */
export class Wire {
  constructor (network, on) {
    Object.assign(this, { peers: new Map(), on, topic: `tocsin/${hex(network).slice(0, 32)}`, sessions: new Map(), timers: new Map(), stopped: false })
  }

  async start (seed, listen) {
    const privateKey = await keyPairOf(seed)
    const stranger = peer => !this.peers.has(peer.toString())
    this.node = await createLibp2p({
      privateKey,
      addresses: { listen: [listen] },
      transports: [tcp()],
      connectionEncrypters: [noise()],
      streamMuxers: [yamux()],
      connectionGater: { denyInboundEncryptedConnection: stranger, denyOutboundEncryptedConnection: stranger },
      services: { identify: identify(), gossip: this.gossipService() }
    })
    this.id = this.node.peerId.toString()
    for (const [channel, protocol] of Object.entries(PROTOCOLS)) {
      await this.node.handle(protocol, (stream, connection) => this.sessionOn(connection).take(channel, stream))
    }
    this.node.addEventListener('connection:open', event => this.opened(event.detail))
    this.node.addEventListener('connection:close', event => this.sessionWith(event.detail)?.end('the connection was closed'))
    this.node.services.gossip.addEventListener('message', event => {
      if (event.detail.topic === this.topic) this.on.frame(event.detail.from.toString(), 'gossip', event.detail.data)
    })
    this.node.services.gossip.subscribe(this.topic)
    for (const peer of this.peers.keys()) this.later(peer, this.leads(peer) ? 0 : FOLLOWER_WAIT_MS, 0)
  }

  gossipService () {
    return gossipsub({
      allowPublishToZeroTopicPeers: true,
      msgIdFn: message => sha256(Buffer.concat([Buffer.from(message.topic), Buffer.of(0), message.data])),
      scoreParams: { IPColocationFactorWeight: 0 }
    })
  }

  /** A member's peer id and where it may be dialed; who has no address here is heard when it dials. */
  meet (peer, addresses) {
    if (this.peers.has(peer) || peer === this.id) return
    this.peers.set(peer, addresses)
    if (this.id !== undefined) this.later(peer, this.leads(peer) ? 0 : FOLLOWER_WAIT_MS, 0)
  }

  leads (peer) {
    return this.id < peer
  }

  sessionWith (connection) {
    return [...this.sessions.values()].find(one => one.connection.id === connection.id)
  }

  /** The session on a connection; a newer one that the leader chose takes over. */
  sessionOn (connection) {
    const held = this.sessionWith(connection)
    if (held !== undefined) return held
    const peer = connection.remotePeer.toString()
    this.sessions.get(peer)?.end('another connection took over')
    const session = new Session(this, peer, connection)
    this.sessions.set(peer, session)
    clearTimeout(this.timers.get(peer))
    session.open()
    return session
  }

  opened (connection) {
    const peer = connection.remotePeer.toString()
    if (!this.peers.has(peer) || !this.leads(peer)) return
    if (this.sessions.has(peer)) connection.close().catch(() => {})
    else this.sessionOn(connection)
  }

  gone (session, why) {
    if (this.sessions.get(session.peer) === session) this.sessions.delete(session.peer)
    if (session.up) this.on.down(session.peer, why)
    this.later(session.peer, this.leads(session.peer) ? DIAL_AGAIN_MS[0] : FOLLOWER_WAIT_MS, 0)
  }

  later (peer, afterMs, failed) {
    clearTimeout(this.timers.get(peer))
    if (!this.stopped) this.timers.set(peer, setTimeout(() => this.dial(peer, failed), afterMs))
  }

  async dial (peer, failed) {
    if (this.stopped || this.sessions.has(peer) || this.peers.get(peer).length === 0) return
    try {
      await this.node.dial(this.peers.get(peer).map(one => multiaddr(`${one}/p2p/${peer}`)), { signal: AbortSignal.timeout(5000) })
    } catch { }
    // who follows dials, and waits until the leader opens the streams on what it likes
    const wait = Math.min(DIAL_AGAIN_MS[0] * 2 ** failed, DIAL_AGAIN_MS[1]) * (0.5 + Math.random())
    if (!this.sessions.has(peer)) this.later(peer, this.leads(peer) ? wait : wait + FOLLOWER_WAIT_MS, failed + 1)
  }

  /** A frame goes on the entries stream only up to its limit. */
  send (peer, channel, raw) {
    const session = this.sessions.get(peer)
    return session !== undefined && session.send(raw.length > FRAME_MAX.entries ? 'sync' : channel, raw)
  }

  gossip (raw) {
    if (raw.length <= GOSSIP_MAX) this.node.services.gossip.publish(this.topic, raw).catch(() => {})
  }

  /** Who takes part in the topic, as far as we see. */
  gossiping () {
    return this.node.services.gossip.getSubscribers(this.topic).length
  }

  async stop () {
    this.stopped = true
    for (const timer of this.timers.values()) clearTimeout(timer)
    await this.node.stop()
  }
}
