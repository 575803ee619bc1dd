/** How far all is and how long it still takes: a bar on a terminal, else a plain line now and then. On stderr. */

const REDRAW_EVERY = 100
const LINE_EVERY = 30_000
const WIDEST = 100
/** Seconds of the plan after which the machine's own pace is known well enough. */
const SETTLED = 3

export class Progress {
  #stream
  #bar
  #start = performance.now()
  #next = 0
  /** Seconds by the plan: of all, and of what is done. */
  #total
  #done = 0
  #unit = { name: '', seconds: 0, share: 0 }

  /** @param {NodeJS.WriteStream} stream @param {number} total seconds that are planned */
  constructor(stream, total) {
    this.#stream = stream
    this.#bar = stream.isTTY && process.env.TERM !== 'dumb'
    this.#total = total
    if (!this.#bar) this.#next = this.#start + LINE_EVERY
  }

  /** @param {number} seconds that the plan has more, or less, than was thought */
  change(seconds) {
    this.#total += seconds
  }

  /** @param {string} name @param {number} seconds by the plan */
  begin(name, seconds) {
    this.#unit = { name, seconds, share: 0 }
    this.#show()
  }

  /** @param {number} share of what has begun */
  share(share) {
    this.#unit.share = share
    this.#show()
  }

  end() {
    this.#done += this.#unit.seconds
    this.#unit = { name: '', seconds: 0, share: 0 }
  }

  /** Before something else is printed, and at the end. */
  clear() {
    if (this.#bar) this.#stream.write('\r\u001B[K')
    if (this.#bar) this.#next = 0
  }

  #show() {
    const now = performance.now()
    if (now < this.#next) return
    this.#next = now + (this.#bar ? REDRAW_EVERY : LINE_EVERY)
    const done = this.#done + this.#unit.share * this.#unit.seconds
    const pace = done < SETTLED ? 1 : (now - this.#start) / 1000 / done
    const left = `${clock(Math.max(0, this.#total - done) * pace)} left`
    const share = Math.min(1, done / Math.max(this.#total, Number.MIN_VALUE))
    const percent = `${Math.floor(100 * share)}%`
    if (!this.#bar) {
      this.#stream.write(`progress ${percent}  ${this.#unit.name}  ${left}\n`)
      return
    }
    const width = Math.min(WIDEST, (this.#stream.columns || 80) - 1)
    const text = `  ${left}  ${this.#unit.name}`
    const room = Math.max(0, width - text.length - 5)
    const full = Math.floor(share * room)
    const line = `${percent.padStart(4)} ${'━'.repeat(full)}${'─'.repeat(room - full)}${text}`
    this.#stream.write(`\r${line.slice(0, width)}\u001B[K`)
  }
}

/** @param {number} seconds @returns {string} 1:05 or 1:02:03 */
function clock(seconds) {
  const whole = Math.ceil(seconds)
  const [hours, rest] = [Math.floor(whole / 3600), [Math.floor(whole / 60) % 60, whole % 60]]
  const [minutes, last] = rest.map((part) => String(part).padStart(2, '0'))
  return hours > 0 ? `${hours}:${minutes}:${last}` : `${Number(minutes)}:${last}`
}
