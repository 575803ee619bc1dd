/** Ctrl-C asks a run to stop; a second one ends the program. */

/** As shells count a program that Ctrl-C ended: 128 + SIGINT. */
export const INTERRUPTED = 130

/** One Ctrl-C may arrive twice: from the terminal, and from npm, which passes it on. */
const SAME_PRESS = 300

/** @param {() => void} stop called once @returns {() => void} gives the signals back */
export function onInterrupt(stop) {
  /** @type {number | undefined} */
  let first
  const handle = () => {
    const now = performance.now()
    if (first === undefined) {
      first = now
      stop()
    } else if (now - first > SAME_PRESS) process.exit(INTERRUPTED)
  }
  const signals = ['SIGINT', 'SIGTERM']
  for (const signal of signals) process.on(signal, handle)
  return () => {
    for (const signal of signals) process.off(signal, handle)
  }
}
