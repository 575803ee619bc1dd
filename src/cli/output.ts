/** What the program says on its two streams, and what it does when the first of them fails. */

/** One line on stderr. */
export function complain(message: string): void {
  process.stderr.write(`recurra: ${message.trim().replace(/\s*\n\s*/g, ' ')}\n`)
}

/**
 * Calls `ended` once when stdout takes no more: with exit code 0 where its reader has gone, as `head` does, and with 1,
 * after saying so, where writing failed (a full disk). The last call of this function counts.
 */
export function onOutputEnd(ended: (code: 0 | 1) => void): void {
  let over = false
  if (listener !== undefined) process.stdout.off('error', listener)
  listener = ({ code, message }) => {
    if (over) return
    over = true
    if (code !== 'EPIPE') complain(`cannot write the output: ${message}`)
    ended(code === 'EPIPE' ? 0 : 1)
  }
  process.stdout.on('error', listener)
}

let listener: ((error: NodeJS.ErrnoException) => void) | undefined
