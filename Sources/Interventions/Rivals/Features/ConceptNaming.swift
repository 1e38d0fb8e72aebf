// A name for a feature by a command of the reader's choice, such as a script that asks a model; without one
// there are no names (`paper/definitions.md`, D165).

import JSON

/// A program that names what some stretches of sound have in common: it reads JSON on its standard input, and
/// the first line that it writes is the name.
public struct NamingCommand: Sendable {
  public let path: String
  public let arguments: [String]
  /// In seconds.
  public let timeout: Double

  public init(_ path: String, _ arguments: [String] = [], timeout: Double = 60) {
    (self.path, self.arguments, self.timeout) = (path, arguments, timeout)
  }

  /// What the program is given: the feature, and of each top and bottom clip its file, and for those where
  /// the feature is present the stretch in milliseconds and the largest activation.
  public static func question(about feature: ConceptFeature, in clips: [ConceptClip]) -> JSON {
    func list(_ retrieved: [RetrievedClip]) -> JSON {
      .array(
        retrieved.map { one in
          var entry: [String: JSON] = ["file": .string(clips[one.clip].file)]
          if one.peak > 0 {
            entry["start"] = .number(one.start)
            entry["end"] = .number(one.end)
            entry["activation"] = .number(one.peak)
          }
          return .object(entry)
        })
    }
    return .object([
      "feature": .integer(feature.feature), "top": list(feature.top),
      "bottom": list(feature.bottom),
    ])
  }

  /// The name that the program gives.
  ///
  /// - Throws: where it cannot be run, takes too long, fails, or writes no line.
  public func name(of feature: ConceptFeature, in clips: [ConceptClip]) throws -> String {
    let command = ReadersCommand(
      executable: path, arguments: arguments, limit: timeout, longest: 10_000)
    let said: [UInt8]
    do {
      said = try command.answer(
        to: Array(NamingCommand.question(about: feature, in: clips).compactText.utf8))
    } catch {
      throw CellError("\(path), asked for a name of feature \(feature.feature): \(error)")
    }
    let lines = String(decoding: said, as: UTF8.self).split(whereSeparator: \.isNewline)
    guard let name = lines.map({ trimmed($0) }).first(where: { !$0.isEmpty }) else {
      throw CellError(
        "\(path): wrote no line for feature \(feature.feature); the name should be on standard output"
      )
    }
    return name
  }
}

private func trimmed(_ line: Substring) -> String {
  let start = line.drop(while: \.isWhitespace)
  return String(start.reversed().drop(while: \.isWhitespace).reversed())
}
