// One part of a preregistration, with errors that name the file and the entry.

import JSON
import Speech

/// A part such as "transfer": numbers, counts and claims that were fixed beforehand.
struct RulesPart: Sendable {
  let path: String
  private let name: String
  private let entries: JSON

  /// - Throws: where the file cannot be read; what is missing is said when it is asked for.
  init(_ name: String, of path: String) throws {
    (self.path, self.name) = (path, name)
    entries = try readJSON(path)[name] ?? [:]
  }

  subscript(key: String) -> JSON? { entries[key] }

  /// A number above 0.
  ///
  /// - Parameter group: the entry that holds it, where it is not one of the part's own
  func number(_ key: String, in group: String? = nil, upTo most: Double) throws -> Double {
    let entries = group.map { self.entries[$0] } ?? self.entries
    guard let value = entries?[key]?.double, value > 0, value <= most else {
      throw CheckpointError(
        "\(path): \"\(name)\" needs a number above 0 and up to \(most) for \"\(key)\"")
    }
    return value
  }

  /// One number or more, each above 0.
  func numbers(_ key: String, upTo most: Double) throws -> [Double] {
    let list = entries[key]?.elements ?? []
    let values = list.compactMap(\.double)
    guard !list.isEmpty, values.count == list.count,
      values.allSatisfy({ $0 > 0 && $0 <= most })
    else {
      throw CheckpointError(
        "\(path): \"\(name)\" needs a list of numbers above 0 and up to \(most) for \"\(key)\"")
    }
    return values
  }

  /// A whole number above 0.
  func count(_ key: String) throws -> Int {
    guard let value = entries[key]?.int, value > 0 else {
      throw CheckpointError("\(path): \"\(name)\" needs a whole number above 0 for \"\(key)\"")
    }
    return value
  }

  /// The same of an entry that has one for each of several names.
  func count(_ key: String, in group: String) throws -> Int {
    guard let value = entries[group]?[key]?.int, value > 0 else {
      throw CheckpointError("\(path): \"\(name).\(group)\" has no whole number above 0 for \(key)")
    }
    return value
  }

  /// One whole number or more, each above 0.
  func counts(_ key: String) throws -> [Int] {
    let list = entries[key]?.elements ?? []
    let values = list.compactMap(\.int)
    guard !list.isEmpty, values.count == list.count, values.allSatisfy({ $0 > 0 }) else {
      throw CheckpointError(
        "\(path): \"\(name)\" needs a list of whole numbers above 0 for \"\(key)\"")
    }
    return values
  }

  /// What a claim says.
  func statement(_ claim: String) throws -> String {
    guard let text = entries["claims"]?[claim]?.string, !text.isEmpty else {
      throw CheckpointError("\(path): \"\(name).claims\" has no claim \(claim)")
    }
    return text
  }
}
