// Cells: the parts of an experiment that take time, item by item, in parallel, stored.

import Dispatch
import Glibc
import Synchronization

extension Notebook {
  /// Computes a value for each item and gives them in the order of the items.
  ///
  /// Items are spread over the cores, each computed by one call of `body` on one core, so the
  /// values do not depend on how many cores there are. Each value is stored when it is there, and
  /// the next run of the same program on the same inputs takes it from there. What comes back has always been through the store's encoding, computed now or before.
  /// An error ends the program, and what is done is stored.
  ///
  /// `[Float]` and `[Double]` are stored as their memory. Anything else is stored as JSON, which
  /// takes some microseconds a number: good for what a plot needs, not for whole activations.
  ///
  /// - Parameters:
  ///   - name: what the cell computes, for the line of progress; once in a notebook.
  ///   - key: what tells one item from all others. It stands for all that `body` reads of the item.
  public func cell<Items: Collection, Value: Codable & Sendable>(
    _ name: String, over items: Items, key: (Items.Element) -> String,
    _ body: @Sendable (Items.Element) throws -> Value
  ) -> [Value] where Items.Element: Sendable {
    attempt { try values(of: name, over: items, key: key, body) }
  }

  /// Computes one value, stored and resumed like those of a cell over items.
  public func cell<Value: Codable & Sendable>(
    _ name: String, _ body: @Sendable () throws -> Value
  ) -> Value {
    cell(name, over: CollectionOfOne(()), key: { _ in "" }, { _ in try body() })[0]
  }

  private func values<Items: Collection, Value: Codable & Sendable>(
    of name: String, over items: Items, key: (Items.Element) -> String,
    _ body: @Sendable (Items.Element) throws -> Value
  ) throws -> [Value] where Items.Element: Sendable {
    guard !cells.contains(where: { $0.name == name }) else {
      throw Failure("there are two cells \"\(name)\"; their stored values would be mixed up")
    }
    let items = Array(options.quick.map { items.prefix($0) } ?? items[...])
    let keys = items.map(key)
    if let twice = firstRepeated(keys) {
      throw Failure("cell \"\(name)\" has two items \"\(twice)\"; keys must differ")
    }
    let digests = keys.map { digest(ofCell: name, item: $0) }
    isPastFrom = isPastFrom || name == options.from
    let journal = try journalFolder.map { folder in
      let path = "\(folder)/\(Notebook.journalName(of: name))"
      if isPastFrom { removeJournal(at: path) }
      return try Journal(at: path, program: program)
    }

    let (values, resumed, seconds) = try storedValues(
      of: name, items: items, keys: keys, digests: digests, journal: journal, body)
    cells.append(
      CellRecord(name: name, items: items.count, resumed: resumed, seconds: seconds))
    events.append(Event("cell", name, "\(items.count)"))
    return values
  }

  /// What a value is stored under: everything that it depends on, the program itself aside, which
  /// the journal's header names.
  private func digest(ofCell name: String, item: String) -> Digest {
    Digest(ofParts: inputs.flatMap { [$0.name, $0.digest.description] } + ["", name, item])
  }

  /// The name of a cell's journal: readable, and never that of another cell.
  static func journalName(of cell: String) -> String {
    let readable = cell.map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "-" }
    return "\(String(readable.prefix(40)))-\(Digest(of: cell).short).cells"
  }
}

/// The values of items, taken from a journal where it has them, else computed and stored there.
///
/// - Returns: the values in the order of the items, how many were stored, and the seconds that it took
func storedValues<Item: Sendable, Value: Codable & Sendable>(
  of name: String, items: [Item], keys: [String], digests: [Digest], journal: Journal?,
  _ body: @Sendable (Item) throws -> Value
) throws -> (values: [Value], resumed: Int, seconds: Double) {
  // Take what is stored; a value of another shape than the program expects is computed again.
  var values: [Value?] = digests.map { digest in
    journal?.stored[digest].flatMap { try? decoded(Value.self, from: $0) }
  }
  let missing = values.indices.filter { values[$0] == nil }
  let progress = Progress(name, total: items.count, resumed: items.count - missing.count)

  defer { progress.stop() }
  let computed = try inParallel(missing) { i in
    do {
      let bytes = try encoded(try body(items[i]))
      let value = try decoded(Value.self, from: bytes)
      try journal?.append(bytes, for: digests[i])
      progress.advance()
      return value
    } catch {
      throw Failure("cell \"\(name)\", item \"\(keys[i])\": \(error)")
    }
  }
  for (i, value) in zip(missing, computed) { values[i] = value }
  return (values.map { $0! }, items.count - missing.count, progress.finish())
}

/// Calls `body` for each index on all cores. Where calls throw, the error of the first index is
/// thrown on, whatever the number of cores: indices are handed out in order.
private func inParallel<Value: Sendable>(
  _ indices: [Int], _ body: @Sendable (Int) throws -> Value
) throws -> [Value] {
  let results = Mutex([Result<Value, any Error>?](repeating: nil, count: indices.count))
  let firstFailure = Mutex(Int.max)
  spread(over: indices.count) { position in
    if firstFailure.withLock({ $0 < position }) { return }
    let result = Result { try body(indices[position]) }
    if case .failure = result { firstFailure.withLock { $0 = min($0, position) } }
    results.withLock { $0[position] = result }
  }
  // Up to the first failure every position has its result.
  return try results.withLock { try $0.map { try $0!.get() } }
}

/// Calls `body` for 0..<count on all cores; on one, where the memory for threads cannot be had.
private func spread(over count: Int, _ body: @Sendable (Int) -> Void) {
  if Memory.hasRoomForThreads(count) {
    withoutActuallyEscaping(body) { body in
      DispatchQueue.concurrentPerform(iterations: count) { body($0) }
    }
  } else {
    for i in 0..<count { body(i) }
  }
}

private func firstRepeated(_ keys: [String]) -> String? {
  var seen: Set<String> = []
  return keys.first { !seen.insert($0).inserted }
}
