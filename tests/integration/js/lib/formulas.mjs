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

/** Groups needed per level, never below the floors of the specification. */
export function thresholds (n, formulas) {
  const numbers = quorum(n)
  const guard = Math.max(evaluate(formulas[2], numbers), 2, numbers.f + 1)
  const isolate = Math.max(evaluate(formulas[3], numbers), numbers.Q)
  return { 2: guard, 3: isolate, 4: Math.max(evaluate(formulas[4], numbers), isolate) }
}
