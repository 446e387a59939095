// "Feeds, gaps, forks": what is held of each (author, key_version), and where it stands.
import { hex, order, same } from '../lib/bytes.mjs'

const RIVALS_MAX = 16

class Feed {
  constructor (author, keyVersion) {
    Object.assign(this, { author, keyVersion, entries: new Map(), rivals: [], whole: 0n, last: null })
  }

  /** What was taken: 'new', 'seen', or 'rival' for the other side of a fork. */
  add (entry) {
    const held = this.entries.get(entry.seq)
    if (held !== undefined && same(held.hash, entry.hash)) return 'seen'
    if (held === undefined) {
      this.entries.set(entry.seq, entry)
      if (this.last === null || entry.seq > this.last) this.last = entry.seq
      while (this.entries.has(this.whole)) this.whole += 1n
      return 'new'
    }
    if (this.rivals.some(one => same(one.hash, entry.hash)) || this.rivals.length >= RIVALS_MAX) return 'seen'
    // of two entries of one seq the lower hash stands as the feed's link
    const [link, rival] = order(entry.hash, held.hash) < 0 ? [entry, held] : [held, entry]
    this.entries.set(entry.seq, link)
    this.rivals.push(rival)
    return 'rival'
  }

  head () {
    const { hash } = this.entries.get(this.last)
    return { author: this.author, key_version: BigInt(this.keyVersion), whole: this.whole, seq: this.last, hash }
  }

  * all () {
    yield * this.entries.values()
    yield * this.rivals
  }
}

export class Feeds {
  constructor () {
    this.feeds = new Map()
    this.seen = new Set()
  }

  feed (author, keyVersion) {
    const key = `${author}/${keyVersion}`
    if (!this.feeds.has(key)) this.feeds.set(key, new Feed(author, keyVersion))
    return this.feeds.get(key)
  }

  has (hash) {
    return this.seen.has(hex(hash))
  }

  add (entry) {
    this.seen.add(hex(entry.hash))
    return this.feed(entry.author, entry.key_version).add(entry)
  }

  heads () {
    return [...this.feeds.values()].filter(one => one.last !== null).map(one => one.head())
  }

  * entries () {
    for (const feed of this.feeds.values()) yield * feed.all()
  }

  /** Raw entries from_seq..to_seq, both included, at most `most`; both sides of a fork. */
  range (author, keyVersion, from, to, most) {
    const feed = this.feeds.get(`${author}/${keyVersion}`)
    if (feed === undefined) return []
    return [...feed.all()].filter(one => one.seq >= from && one.seq <= to)
      .sort((a, b) => (a.seq < b.seq ? -1 : a.seq > b.seq ? 1 : 0)).slice(0, most).map(one => one.raw)
  }

  /** What to ask for after somebody showed this head: [from, to], or null. */
  lack (head, most) {
    const feed = this.feed(head.author, Number(head.key_version))
    const held = feed.entries.get(head.seq)
    if (held !== undefined && !same(held.hash, head.hash)) {
      return feed.rivals.some(one => same(one.hash, head.hash)) ? null : [head.seq, head.seq]
    }
    if (head.seq < feed.whole) return null
    const to = feed.whole + BigInt(most) - 1n
    return [feed.whole, to < head.seq ? to : head.seq]
  }
}
