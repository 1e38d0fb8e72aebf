// How near sound and text lie where the language model takes the sound over: what a changed word moves at the
// connector, beside the difference of the two words' text embeddings (`paper/definitions.md`, D159).

import Corpus
import Speech
import Tensor

/// What a changed word moves at the connector, and what lies between the two words in text, pair by pair.
public struct WordMoves: Codable, Sendable {
  /// The mean over the positions of the changed phone's moment, [width].
  public let sound: [Double]
  /// The clean word's text embedding less the corrupt word's, [width].
  public let text: [Double]
  /// The same of the words of a pair that has nothing to do with it.
  public let unrelated: [Double]

  public init(sound: [Double], text: [Double], unrelated: [Double]) {
    (self.sound, self.text, self.unrelated) = (sound, text, unrelated)
  }
}

/// How alike they are over pairs.
public struct TextAlignment: Codable, Sendable {
  /// The mean cosine between sound and text of a pair, and between its sound and another pair's text.
  public let cosine: Estimate
  public let unrelated: Estimate
  /// The mean squared cosine of the principal angles between the first K directions of either, and what
  /// directions drawn at random have: K over the width.
  public let overlap: Double
  public let chance: Double
}

extension SpeechModel {
  /// The text embedding of the first token of a word.
  public func textEmbedding(of word: String, like clip: Clip) throws -> [Double] {
    let token = try textTokens(word)[0]
    let site = Site(.lm, nil, .embed)
    // No answer is compared; two tokens that differ stand for them.
    let run = try model.trace(
      Question(
        clip: clip, tokens: try tokens(for: "transcribe:", clip: clip) + [token], answer: 0, foil: 1
      ),
      keeping: [site])
    let rows = DoubleMatrix(try run.activation(of: site))
    return rows.rows([rows.rows - 1]).columnMeans
  }

  /// What the changed word of each pair moves.
  ///
  /// - Parameters:
  ///   - other: a pair that has nothing to do with it
  ///   - moment: milliseconds from the onset of the changed phone on
  /// - Returns: nil where the moment holds no position of the connector
  public func wordMoves(
    of pair: MinimalPair, unrelated other: MinimalPair, moment: Double, root: String
  ) throws -> WordMoves? {
    guard let exchange = try exchanges(pair, .lexical, moment: moment, root: root)?.sufficiency
    else { return nil }
    let clip = try clip(pair.corrupt.waveform(root: root))
    func text(_ pair: MinimalPair) throws -> [Double] {
      let clean = try textEmbedding(of: pair.answers.clean, like: clip)
      return zip(clean, try textEmbedding(of: pair.answers.corrupt, like: clip)).map { $0 - $1 }
    }
    return WordMoves(
      sound: exchange.difference.columnMeans, text: try text(pair),
      unrelated: try text(other))
  }
}

extension Array where Element == WordMoves {
  /// - Parameters:
  ///   - groups: the resampling unit of each pair
  ///   - size: K
  /// - Throws: where fewer than K directions are found.
  public func alignment(
    groups: [String], size: Int, draws: Int, _ random: Random
  ) throws -> TextAlignment {
    func mean(_ cosines: [Double], _ name: String) -> Estimate {
      ratioOfMeans(
        cosines, cosines.map { _ in 1 }, groups: groups, draws: draws, random.split(name))
    }
    func directions(_ moves: [[Double]]) throws -> Subspace {
      try Subspace.principal(
        ofMoves: DoubleMatrix(rows: moves.count, columns: moves[0].count, moves.flatMap(\.self))
      ).first(size)
    }
    let cosines = try directions(map(\.sound)).principalCosines(to: directions(map(\.text)))
    return TextAlignment(
      cosine: mean(map { cosine($0.sound, $0.text) }, "cosine"),
      unrelated: mean(map { cosine($0.sound, $0.unrelated) }, "unrelated"),
      overlap: cosines.reduce(0) { $0 + $1 * $1 } / Double(size),
      chance: Double(size) / Double(self[0].sound.count))
  }
}

/// 0 where either is.
private func cosine(_ x: [Double], _ y: [Double]) -> Double {
  func dot(_ a: [Double], _ b: [Double]) -> Double { zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } }
  let norm = (dot(x, x) * dot(y, y)).squareRoot()
  return norm > 0 ? dot(x, y) / norm : 0
}
