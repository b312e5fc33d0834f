import { type AlertNews, deliveryId } from '../core/alerts/alert.ts'
import type { AlertQueue } from '../core/alerts/alert-ports.ts'

/** The twin of BullAlertQueue in memory, for tests of what stands on it. It tells nobody. */
export class MemoryAlertQueue implements AlertQueue {
  private readonly news = new Map<string, AlertNews>()

  async add(news: AlertNews): Promise<void> {
    if (!this.news.has(deliveryId(news))) this.news.set(deliveryId(news), news)
  }

  /** What is to be told, oldest first. */
  get waiting(): readonly AlertNews[] {
    return [...this.news.values()]
  }
}
