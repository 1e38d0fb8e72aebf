// A recogniser that hears what sounds without speech have on average, at the places that carry that there is speech:
// along the axis behind the encoder's last layer, and in heads of the decoder's cross-attention
// (`paper/definitions.md`, D175).

import Speech
import Tensor

extension SpeechAxis {
  /// One position of a sound that is given, along the direction, what sounds or speech have on average; what is
  /// orthogonal to it stays.
  public func replacing(_ x: [Float], isSpeech: Bool) -> [Float] {
    let far = (isSpeech ? 1 : 0) - position(of: x.map(Double.init))
    let step = far * stepToSpeech
    return zip(x, direction).map { Float(Double($0) + step * $1) }
  }
}

extension Listened {
  /// What gives every position of the sound, behind the encoder's last layer, the mean of sounds or of speech along
  /// an axis.
  public func replacing(along axis: SpeechAxis, isSpeech: Bool, to clip: Clip, at last: Site)
    -> SpeakingTap
  {
    let count = soundPositions(of: clip)
    return SpeakingTap([last]) { _, x, _ in
      let own = x.numbers
      let rows = (0..<count).flatMap {
        axis.replacing(Array(own[($0 * x.width)..<(($0 + 1) * x.width)]), isSpeech: isSpeech)
      }
      return replacingRows(x, at: Array(0..<count), with: Tensor([count, x.width], rows))
    }
  }
}

/// What heads of cross-attention gather from recordings on average: at each position of the opening by itself, and
/// behind it over all that is written.
public struct GatheredMeans: Codable, Sendable {
  /// By layer: the positions of the opening, then the mean of those behind it, as wide as all heads together.
  private let rows: [[[Float]]]
  /// Whether something was written, so that there is a mean behind the opening.
  private let isWritten: Bool

  /// - Parameters:
  ///   - gathered: by layer, one row a position
  ///   - opening: how many positions the opening has
  /// - Throws: where a position of the opening is missing.
  public init(_ gathered: [[Int: [Float]]], opening: Int) throws {
    guard gathered.allSatisfy({ layer in (0..<opening).allSatisfy { layer[$0] != nil } }) else {
      throw CellError("what heads gather is missing at a position of the opening")
    }
    isWritten = gathered.allSatisfy { $0.count > opening }
    rows = gathered.map { layer in
      let text = layer.keys.filter { $0 >= opening }.sorted().map { layer[$0]! }
      return (0..<opening).map { layer[$0]! } + [text.isEmpty ? layer[opening - 1]! : mean(text)]
    }
  }

  /// The mean over recordings, behind the opening of those alone for which something was written.
  ///
  /// - Throws: where there are none.
  public init(over recordings: [GatheredMeans]) throws {
    let written = recordings.filter(\.isWritten)
    guard let first = written.first else {
      throw CellError("a mean donor needs sounds for which something is written; there is none")
    }
    isWritten = true
    rows = first.rows.indices.map { layer in
      let last = first.rows[layer].count - 1
      return (0...last).map { row in
        mean((row == last ? written : recordings).map { $0.rows[layer][row] })
      }
    }
  }

  /// A decoder in which these heads gather the means, at every step.
  ///
  /// - Parameter width: numbers a head
  public func replacing(_ heads: [CrossHead], width: Int) -> SpeakingTap {
    setting(heads, width: width) { [rows] head, position in
      let layer = rows[head.layer]
      let start = head.head * width
      return Array(layer[min(position, layer.count - 1)][start..<(start + width)])
    }
  }
}

private func mean(_ rows: [[Float]]) -> [Float] {
  rows[0].indices.map { c in
    Float(rows.reduce(0.0) { $0 + Double($1[c]) } / Double(rows.count))
  }
}

extension Recogniser {
  /// What the heads of cross-attention gather of a recording while its text is written.
  public func gathered(from recording: Recording, limit: Int) throws -> GatheredMeans {
    let layers = model.config.layers
    var gathered = [[Int: [Float]]](repeating: [:], count: layers)
    let sites = (0..<layers).map { CrossHead(layer: $0, head: 0).site }
    let seeing = SpeakingTap(Set(sites)) { site, x, positions in
      let numbers = x.numbers
      for (row, position) in (positions ?? 0..<x.rows).enumerated() {
        gathered[sites.firstIndex(of: site)!][position] = Array(
          numbers[(row * x.width)..<((row + 1) * x.width)])
      }
      return x
    }
    _ = try hearing(
      of: listened(to: model.clip(recording.wave())), limit: limit, changing: seeing)
    return try GatheredMeans(gathered, opening: start.count)
  }
}
