// Heads of cross-attention that carry that there is speech, as a map of exchanges has them, and a decoder
// without them (`paper/definitions.md`, D136).

import Speech
import Tensor

/// A head of the decoder's cross-attention.
public struct CrossHead: Hashable, Codable, Sendable {
  public let layer: Int
  public let head: Int

  public init(layer: Int, head: Int) { (self.layer, self.head) = (layer, head) }

  var site: Site { Site("decoder.\(layer).cross.z")! }
}

/// The heads of one model in the committed table of Figure S4, those first that move the log-odds of speech
/// furthest beyond their matched control, both directions together.
///
/// - Throws: where the table lacks the model or one of its numbers.
public func rankedHeads(ofTable path: String, model: String) throws -> [CrossHead] {
  let table = try Table(contentsOf: path)
  var beyond: [CrossHead: Double] = [:]
  for (line, fields) in table.rows {
    let row = try table.values(of: fields)
    guard row["model"] == model, row["panel"] == "share of speech", let item = row["item"],
      item.hasPrefix("decoder."), item.contains(".cross.z."),
      let sign = ["real": 1.0, "matched": -1.0][row["donor"] ?? ""]
    else { continue }
    let parts = item.split(separator: ".")
    guard parts.count == 5, let layer = Int(parts[1]), let head = Int(parts[4]),
      let value = row["value"].flatMap(Double.init)
    else { throw CellError("\(path): line \(line) names no head with a number; git checkout it") }
    beyond[CrossHead(layer: layer, head: head), default: 0] += sign * value
  }
  guard !beyond.isEmpty else { throw CellError("\(path): has no heads of \(model)") }
  return beyond.sorted {
    ($1.value, $0.key.layer, $0.key.head) < ($0.value, $1.key.layer, $1.key.head)
  }.map(\.key)
}

/// A decoder in which what these heads gather from the sound is set to zero, at every step.
///
/// - Parameter width: numbers a head
public func pruning(_ heads: [CrossHead], width: Int) -> SpeakingTap {
  let nothing = [Float](repeating: 0, count: width)
  return setting(heads, width: width) { _, _ in nothing }
}

/// A decoder in which these heads gather something else at every position.
///
/// - Parameter value: what one of them gathers at a position, `width` numbers
func setting(
  _ heads: [CrossHead], width: Int,
  to value: @escaping (_ head: CrossHead, _ position: Int) -> [Float]
) -> SpeakingTap {
  let bySite = Dictionary(grouping: heads, by: \.site)
  return SpeakingTap(Set(bySite.keys)) { site, x, positions in
    var numbers = x.numbers
    // Rows behind the positions are padding, which nothing reads.
    for (row, position) in (positions ?? 0..<x.rows).enumerated() {
      for head in bySite[site]! {
        let start = row * x.width + head.head * width
        numbers.replaceSubrange(start..<(start + width), with: value(head, position))
      }
    }
    return Tensor(x.shape, numbers)
  }
}
