// What a lens says of one layer, for a reader: the strongest token there, and how the token that is said in
// the end stands.

import Speech
import Tensor

public struct LensedLayer: Sendable, Equatable {
  public let site: Site
  /// The strongest token, and its probability.
  public let token: Int
  public let probability: Double
  /// Of the token that is said in the end: its probability here, and how many tokens are at least as strong.
  public let final: Double
  public let rank: Int
  /// logit(answer) - logit(foil), in nats.
  public let logitDifference: Double

  /// - Parameters:
  ///   - logits: [1, vocabulary]
  ///   - said: the token that is said in the end
  public init(_ site: Site, _ logits: Tensor, said: Int, answer: Int, foil: Int) {
    let row = logits.numbers
    let top = row.indices.dropFirst().reduce(0) { row[$1] > row[$0] ? $1 : $0 }
    let total = row.reduce(0.0) { $0 + Elementary.exp(Double($1) - Double(row[top])) }
    func probability(_ token: Int) -> Double {
      Elementary.exp(Double(row[token]) - Double(row[top])) / total
    }
    (self.site, token, self.probability) = (site, top, probability(top))
    final = probability(said)
    rank = row.count { $0 >= row[said] }
    logitDifference = Double(row[answer]) - Double(row[foil])
  }
}

extension SpeechLanguageModel {
  /// The lens at every depth of a run.
  ///
  /// - Parameter said: the token whose standing is asked, the run's own last one where nil
  /// - Throws: what `logitLens` throws.
  public func lensed(_ run: Trace, said: Int? = nil) throws -> [LensedLayer] {
    let logits = try logitLens(run)
    guard let last = logits.last?.numbers else {
      throw CellError(
        "the model has no layers on the way to text, so that there is nothing to read")
    }
    let said = said ?? last.indices.dropFirst().reduce(0) { last[$1] > last[$0] ? $1 : $0 }
    return zip(lensSites, logits).map {
      LensedLayer($0, $1, said: said, answer: run.question.answer, foil: run.question.foil)
    }
  }
}
