// Thresholds: formulas over n, f and Q ("The alarm").
import { refuse } from './refusal.mjs'

const bad = why => refuse('bad-charter', why)

function tokens (text) {
  if ([...text].length > 64) bad('more than 64 characters')
  const found = []
  let rest = text
  while ((rest = rest.replace(/^ +/, '')) !== '') {
    const token = /^(?:[0-9]+|[a-zA-Z]+|[-+*(),])/.exec(rest)
    if (token === null) bad(`what is ${rest[0]}`)
    found.push(token[0])
    rest = rest.slice(token[0].length)
  }
  return found
}

export function evaluate (text, numbers) {
  const left = tokens(text)
  const next = wanted => { if (left.shift() !== wanted) bad(`a ${wanted} is missing`) }
  function many () {
    const values = [sum()]
    while (left[0] === ',') { left.shift(); values.push(sum()) }
    next(')')
    return values
  }
  function value () {
    const token = left.shift()
    if (token === undefined) bad('a value is missing')
    if (token === '(') { const inner = sum(); next(')'); return inner }
    if (token === 'max' || token === 'min') {
      next('(')
      const values = many()
      if (values.length < 2) bad(`${token} of one`)
      return Math[token](...values)
    }
    if (token === 'n' || token === 'f' || token === 'Q') return numbers[token]
    if (!/^(0|[1-9][0-9]*)$/.test(token) || Number(token) > 256) bad(`what is ${token}`)
    return Number(token)
  }
  function product () {
    let out = value()
    while (left[0] === '*') { left.shift(); out *= value() }
    return out
  }
  function sum () {
    let out = product()
    while (left[0] === '+' || left[0] === '-') out = left.shift() === '+' ? out + product() : out - product()
    return out
  }
  const out = sum()
  if (left.length > 0) bad(`what is ${left[0]}`)
  return out
}

/** f and Q of n control groups ("Numbers"). */
export function quorum (n) {
  const f = Math.floor((n - 1) / 3)
  return { n, f, Q: n - f }
}

/** Groups needed per level, as the formulas say: what is below its floor is no charter, and never gets here. */
export function thresholds (n, formulas) {
  const numbers = quorum(n)
  return { 2: evaluate(formulas[2], numbers), 3: evaluate(formulas[3], numbers), 4: evaluate(formulas[4], numbers) }
}

/** "Never fewer than", and never more than there are; a network of three only informs, whatever it asks for. */
export function checkThresholds (n, needed) {
  const { f, Q } = quorum(n)
  const floors = { 2: Math.max(2, f + 1), 3: Q, 4: needed[3] }
  for (const level of [2, 3, 4]) {
    if (needed[level] < floors[level] || (n >= 4 && needed[level] > n)) bad(`${needed[level]} groups for level ${level} of ${n}`)
  }
}
