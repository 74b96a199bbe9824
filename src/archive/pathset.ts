const INITIAL_SLOTS = 1024;

/**
 * A set of paths that keeps a hash of 63 bits for each and not the path: 32 bytes at the most, so that a million long names
 * cost no more than a million short ones. In a million paths two meet by chance once in 18 million times.
 */
export class PathSet {
  /** Pairs of 32-bit words, open addressing; 0, 0 is a free slot. */
  #slots = new Uint32Array(2 * INITIAL_SLOTS);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Returns what the path was added as before, or undefined if it is new. */
  add(path: string, as: "file" | "directory"): "file" | "directory" | undefined {
    if (this.#size * 4 >= this.#slots.length) this.#grow();
    const [high, low] = hash(path);
    const slot = this.#find(high, low);
    if (this.#taken(slot)) return (this.#slots[slot + 1] ?? 0) & 1 ? "directory" : "file";
    this.#slots[slot] = high;
    this.#slots[slot + 1] = as === "directory" ? low | 1 : low & ~1;
    this.#size++;
    return undefined;
  }

  /** What the path was added as; undefined: it was not. */
  kindOf(path: string): "file" | "directory" | undefined {
    const [high, low] = hash(path);
    const slot = this.#find(high, low);
    if (!this.#taken(slot)) return undefined;
    return (this.#slots[slot + 1] ?? 0) & 1 ? "directory" : "file";
  }

  has(path: string): boolean {
    const [high, low] = hash(path);
    return this.#taken(this.#find(high, low));
  }

  #taken(slot: number): boolean {
    return this.#slots[slot] !== 0 || this.#slots[slot + 1] !== 0;
  }

  /** The slot that holds the hash, or the free one where it belongs; the lowest bit is the kind, not the hash. */
  #find(high: number, low: number): number {
    const mask = this.#slots.length - 1;
    let slot = low & ~1 & mask;
    while (this.#taken(slot)) {
      if (this.#slots[slot] === high && ((this.#slots[slot + 1] ?? 0) & ~1) === (low & ~1)) return slot;
      slot = (slot + 2) & mask;
    }
    return slot;
  }

  #grow(): void {
    const old = this.#slots;
    this.#slots = new Uint32Array(old.length * 2);
    for (let slot = 0; slot < old.length; slot += 2) {
      const high = old[slot] ?? 0;
      const low = old[slot + 1] ?? 0;
      if (high === 0 && low === 0) continue;
      const to = this.#find(high, low);
      this.#slots[to] = high;
      this.#slots[to + 1] = low;
    }
  }
}

/** Two unlike 32-bit hashes side by side; never 0, 0, which is a free slot. */
function hash(path: string): [high: number, low: number] {
  let high = 0x811c9dc5;
  let low = 0x9e3779b9;
  for (let i = 0; i < path.length; i++) {
    const unit = path.charCodeAt(i);
    high = Math.imul(high ^ unit, 0x01000193);
    low = Math.imul(low + unit, 0x85ebca6b);
    low ^= low >>> 13;
  }
  // the last units must reach the low bits too, for these choose the slot
  low = Math.imul(low ^ (low >>> 16), 0xc2b2ae35);
  return [high >>> 0 || 1, (low ^ (low >>> 15)) >>> 0];
}
