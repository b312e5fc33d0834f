import type { ApiKey, ApiKeys } from '../core/api-key.ts'

/** The twin of RedisKeys in memory, for tests of what stands on API keys. */
export class MemoryKeys implements ApiKeys {
  private readonly keys = new Map<string, ApiKey>()
  private areInUse = false

  async read() {
    return { keys: [...this.keys.values()], areInUse: this.areInUse }
  }

  async add(key: ApiKey): Promise<void> {
    if (!this.keys.has(key.id)) this.keys.set(key.id, key)
    this.areInUse = true
  }

  async setInUse(areInUse: boolean): Promise<void> {
    this.areInUse = areInUse
  }

  async remove(id: string): Promise<boolean> {
    return this.keys.delete(id)
  }
}
