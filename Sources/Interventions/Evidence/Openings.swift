// The log of when the test split was opened, and under which rules: an append-only file beside the
// results. Rules that are changed after the test split has been seen are no preregistration.

import Foundation
import Notebook

/// A file with one line for each opening: split, digest of its items, digest of the
/// preregistration, and who opened it.
public struct OpeningLog: Sendable {
  public let path: String

  public init(_ path: String) { self.path = path }

  private static let header = "split\titems\tpreregistration\topened by"

  /// Opens a split, or refuses to.
  ///
  /// Opening again with the same items under the same preregistration, as every rerun does, is the
  /// same opening and writes nothing.
  ///
  /// - Parameters:
  ///   - split: such as `test`
  ///   - items: the digest of the split's items
  ///   - preregistration: the digest of the rules
  ///   - experiment: who opens it
  /// - Throws: where the split was opened under another preregistration or with other items, where
  ///   the log is damaged, or cannot be written.
  public func open(
    _ split: String, items: Digest, under preregistration: Digest, by experiment: String
  ) throws {
    for name in [split, experiment] where name.isEmpty || name.contains(where: \.isSeparator) {
      throw EvidenceError("\"\(name)\" cannot be logged; take a name without tabs or line ends")
    }
    let file = Foundation.open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0o666)
    guard file >= 0 else { throw failure("cannot open it") }
    defer { close(file) }
    // Two programs that open the split at once take turns.
    guard flock(file, LOCK_EX) == 0 else { throw failure("cannot lock it") }
    let past = try entries()
    for entry in past where entry.split == split {
      if entry.preregistration != preregistration.description {
        throw EvidenceError(
          "\(path): the split \(split) was opened by \(entry.experiment) under the preregistration "
            + "\(entry.preregistration.prefix(12)), this one is \(preregistration.short). Restore that "
            + "preregistration, or confirm on recordings that nobody has seen under a new split name, "
            + "or report the result as exploratory without opening the split")
      }
      if entry.items != items.description {
        throw EvidenceError(
          "\(path): the split \(split) was opened with other items (\(entry.items.prefix(12)), now "
            + "\(items.short)). Restore its list of items, or give the new list a split name of its own"
        )
      }
    }
    if past.contains(where: { $0.split == split && $0.experiment == experiment }) { return }
    try append("\(split)\t\(items)\t\(preregistration)\t\(experiment)\n", to: file)
  }

  private func append(_ line: String, to file: Int32) throws {
    let before = lseek(file, 0, SEEK_END)
    let bytes = Array(((before == 0 ? Self.header + "\n" : "") + line).utf8)
    guard write(file, bytes, bytes.count) == bytes.count, fsync(file) == 0 else {
      let reason = failure("cannot write to it")
      // Half a line must not stay.
      _ = ftruncate(file, before)
      throw reason
    }
  }

  private struct Entry {
    let split: String
    let items: String
    let preregistration: String
    let experiment: String
  }

  private func entries() throws -> [Entry] {
    guard let data = FileManager.default.contents(atPath: path) else {
      throw failure("cannot read it")
    }
    if data.isEmpty { return [] }
    let lines = String(decoding: data, as: UTF8.self)
      .split(separator: "\n", omittingEmptySubsequences: false)
    guard lines.first == Substring(Self.header), lines.last == "" else {
      throw damaged(1)
    }
    return try lines.dropFirst().dropLast().enumerated().map { index, line in
      let fields = line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
      guard fields.count == 4, Digest(hexadecimal: fields[1]) != nil,
        Digest(hexadecimal: fields[2]) != nil
      else { throw damaged(index + 2) }
      return Entry(
        split: fields[0], items: fields[1], preregistration: fields[2], experiment: fields[3])
    }
  }

  private func damaged(_ line: Int) -> EvidenceError {
    EvidenceError(
      "\(path):\(line): this is no log of openings, or it was edited; restore it from the "
        + "repository (git checkout -- \(path))")
  }

  private func failure(_ problem: String) -> EvidenceError {
    EvidenceError(
      "\(path): the log of openings: \(problem): \(String(cString: strerror(errno)))")
  }
}

extension Character {
  fileprivate var isSeparator: Bool { isNewline || self == "\t" }
}
