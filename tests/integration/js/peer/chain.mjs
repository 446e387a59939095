// What claims are judged by, read over JSON-RPC at our own providers ("Claims"). One provider a chain.
import { keccak_256 as keccak256 } from '@noble/hashes/sha3.js'
import { hex, sha256, unhex } from '../lib/bytes.mjs'
import { JUDGES, registered } from '../lib/claims.mjs'

const CALL_MS = 5000
const keccak = text => hex(keccak256(new TextEncoder().encode(text)))
const RELEASED = keccak('Released(uint256,address,uint256)')
const word = value => value.toString(16).padStart(64, '0')
const quantity = value => `0x${value.toString(16)}`

class Chain {
  constructor (url) {
    this.url = url
  }

  async ask (method, ...params) {
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params })
    const answer = await fetch(this.url, { method: 'POST', headers: { 'content-type': 'application/json' }, body, signal: AbortSignal.timeout(CALL_MS) })
    const { result, error } = await answer.json()
    if (error !== undefined || result === undefined) throw new Error(`${method}: ${error?.message ?? 'no result'}`)
    return result
  }

  async view (at, signature, args, block) {
    const data = `0x${keccak(signature).slice(0, 8)}${args.map(word).join('')}`
    return BigInt(await this.ask('eth_call', { to: `0x${hex(at)}`, data }, block))
  }

  async block (number) {
    const found = await this.ask('eth_getBlockByNumber', number, false)
    if (found === null) throw new Error(`no block ${number}`)
    return { number: BigInt(found.number), time: BigInt(found.timestamp) }
  }

  /** [the log at that index of its block, or null; the number of its block]. */
  async log (tx, index) {
    const receipt = await this.ask('eth_getTransactionReceipt', `0x${hex(tx)}`)
    if (receipt === null) throw new Error('the transaction is not known')
    return [receipt.logs.find(one => BigInt(one.logIndex) === index) ?? null, BigInt(receipt.blockNumber)]
  }
}

const addressOf = value => unhex(word(value).slice(24))
const numberOf = address => BigInt(`0x${hex(address)}`)

async function releaseWithoutBurn (chains, inputs, bridge) {
  if (bridge === null) return null
  const [home, far] = [chains.get(inputs.home), chains.get(inputs.far)]
  const [log, block] = await home.log(inputs.tx, inputs.log_index)
  const isRelease = log !== null && log.topics.length === 3 && log.topics[0] === `0x${RELEASED}`
  const token = addressOf(await home.view(inputs.escrow, 'token()', [], 'latest'))
  const head = await far.block('latest')
  return {
    log: isRelease ? [unhex(log.address), BigInt(log.topics[1]), addressOf(BigInt(log.topics[2])), BigInt(log.data)] : null,
    released_at_s: (await home.block(quantity(block))).time,
    escrow_before: await home.view(token, 'balanceOf(address)', [numberOf(inputs.escrow)], quantity(block > 0n ? block - 1n : 0n)),
    burned: await far.view(inputs.twin, 'burned(uint256)', [inputs.nonce], quantity(head.number)),
    burned_to: addressOf(await far.view(inputs.twin, 'burned_to(uint256)', [inputs.nonce], quantity(head.number))),
    far_head_s: head.time
  }
}

async function standing (chains, inputs) {
  const [log] = await chains.get(inputs.chain).log(inputs.tx, inputs.log_index)
  return { log: log === null ? null : [unhex(log.address), log.topics.map(unhex), sha256(unhex(log.data))] }
}

async function deviating (chains, inputs, oracle) {
  if (oracle === null) return null
  const chain = chains.get(inputs.chain)
  const prices = async block => {
    const price = await chain.view(oracle.feed, 'price()', [], quantity(block))
    const references = await Promise.all(oracle.references.map(one => chain.view(one, 'price()', [], quantity(block)).catch(() => 0n)))
    return [price, references]
  }
  const [now, before] = [await prices(inputs.block), await prices(inputs.block > 0n ? inputs.block - 1n : 0n)]
  return { price: now[0], references: now[1], price_before: before[0], references_before: before[1] }
}

const READERS = { 'evm-release-without-burn': releaseWithoutBurn, 'evm-log': standing, 'evm-oracle-deviation': deviating }

/** connections: {source id: {chain, url}} of the member's own; types without a reader stay undecided. */
export function verifier (connections) {
  const chains = new Map(Object.values(connections).map(({ chain, url }) => [chain, new Chain(url)]))
  const sourcesOf = inputs => {
    const read = [inputs.home, inputs.far, inputs.chain].filter(one => one !== undefined)
    return Object.entries(connections).filter(([, { chain }]) => read.includes(chain)).map(([id]) => id)
  }
  return async (claim, inputs, epoch) => {
    const reader = READERS[claim.type]
    const named = [inputs.home, inputs.far, inputs.chain].filter(one => one !== undefined)
    if (reader === undefined || named.some(one => !chains.has(one))) return { ruling: 'undecided' }
    const row = registered(claim.type, inputs, epoch)
    const said = JUDGES[claim.type](inputs, await reader(chains, inputs, row), row)
    return { ...said, sources: sourcesOf(inputs) }
  }
}
