/** How many requests of each key wait. */
export class WaitShares {
  private readonly waiting = new Map<string, number>()

  /** False if the key has its share; whoever is let in must `leave`. */
  enter(keyId: string, most: number): boolean {
    const count = this.waiting.get(keyId) ?? 0
    if (count >= most) return false
    this.waiting.set(keyId, count + 1)
    return true
  }

  leave(keyId: string): void {
    const left = (this.waiting.get(keyId) ?? 1) - 1
    if (left > 0) this.waiting.set(keyId, left)
    else this.waiting.delete(keyId)
  }
}
