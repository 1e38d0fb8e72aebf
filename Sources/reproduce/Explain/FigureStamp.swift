// The stamp of a figure, read back from its PDF or SVG: the experiment, and the digests of what it was made from.

import Foundation
import Notebook

struct FigureStamp: Equatable {
  /// As it stands in the file: `e1-causal-map; model a8cfe2902483; table 3a5c8a69b01e`.
  let text: String
  let experiment: String

  /// What sets it apart from the paper's own: `quick 8`.
  let marks: [String]

  /// Names and the first twelve digits of digests.
  let digests: [(name: String, digest: String)]

  init(_ text: String) {
    self.text = text
    let parts = text.components(separatedBy: "; ")
    experiment = parts[0]
    let split = parts.dropFirst().map { part -> (String, String?) in
      guard let space = part.lastIndex(of: " ") else { return (part, nil) }
      let digest = part[part.index(after: space)...]
      let isDigest = digest.count == 12 && digest.allSatisfy { $0.isHexDigit }
      return isDigest ? (String(part[..<space]), String(digest)) : (part, nil)
    }
    marks = split.compactMap { $0.1 == nil ? $0.0 : nil }
    digests = split.compactMap { name, digest in digest.map { (name, $0) } }
  }

  /// The stamp of a figure; nil where there is no such file.
  ///
  /// - Throws: where the file has no stamp
  init?(figure path: String, root: String) throws {
    guard let data = FileManager.default.contents(atPath: "\(root)/\(path)") else { return nil }
    // A PDF is no UTF-8 as a whole; its stamp is.
    let text = String(decoding: data, as: UTF8.self)
    let found =
      path.hasSuffix(".svg")
      ? text.firstMatch(of: /<metadata>([^<]*)<\/metadata>/).map { String($0.1) }
      : text.firstMatch(of: /\/Keywords \(((?:[^()\\]|\\.)*)\)/).map { String($0.1) }
    guard let found, found.contains("; ") else {
      throw Failure("\(path) has no stamp: it was not drawn by an experiment of this package")
    }
    self.init(found)
  }

  static func == (a: FigureStamp, b: FigureStamp) -> Bool { a.text == b.text }
}
