// Values of many items, outside a notebook: in parallel, with a line of progress, and resumed after an
// interruption from a journal beside the output.

import Glibc

/// Computes a value for each item and gives them in the order of the items, like a notebook's cell:
/// each is stored when it is there, and the next run of the same program on the same inputs takes it
/// from there.
///
/// - Parameters:
///   - name: what is computed, for the line of progress
///   - key: what tells one item from all others
///   - inputs: digests of all else that the values depend on
///   - journal: where they are stored, in a folder that is made where it is missing, as that of the output
///     would be; `removeJournal(at:)` when the output is written
///   - fresh: whether stored values are forgotten
public func resumable<Item: Sendable, Value: Codable & Sendable>(
  _ name: String, over items: [Item], key: (Item) -> String, inputs: [String], journal path: String,
  fresh: Bool, _ body: @Sendable (Item) throws -> Value
) throws -> [Value] {
  Interruption.watch(resumable: true)
  if fresh { removeJournal(at: path) }
  do { try createFolder(split(path).folder) } catch {
    throw Failure("cannot write beside \(path): \(error)")
  }
  let journal = try Journal(
    at: path, program: try Digest.ofExecutable.get(), isExclusive: true)
  let keys = items.map(key)
  return try storedValues(
    of: name, items: items, keys: keys,
    digests: keys.map { Digest(ofParts: inputs + ["", name, $0]) }, journal: journal, body
  ).values
}

/// Removes a journal whose values are not needed any more.
public func removeJournal(at path: String) { unlink(path) }
