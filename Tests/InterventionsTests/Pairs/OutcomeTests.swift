// What is read from logits, against sums written out token by token.

import Interventions
import Speech
import Tensor
import Testing

@Suite struct OutcomeTests {
  /// Vocabularies below, at and beside whole vectors, one of them with a token that is all but impossible.
  @Test(arguments: [5, 8, 19, 24])
  func probabilitiesAndDivergenceAreSums(_ vocabulary: Int) throws {
    var random = Random(seed: UInt64(vocabulary))
    func logits() -> [Float] { (0..<vocabulary).map { _ in Float(random.uniform(-9...9)) } }
    var (here, there) = (logits(), logits())
    (here[3], there[4]) = (-900, -800)
    // The largest stands behind the last whole vector.
    here[vocabulary - 1] = 12
    let question = Question(clip: Clip(samples: []), tokens: [0], answer: 1, foil: 2)
    let outcome = question.outcome(
      Tensor([1, vocabulary], here), reference: Tensor([1, vocabulary], there))

    func logs(_ line: [Float]) -> [Double] {
      let top = Double(line.max()!)
      let sum = line.reduce(0.0) { $0 + Elementary.exp(Double($1) - top) }
      return line.map { Double($0) - (top + Elementary.log(sum)) }
    }
    let (own, reference) = (logs(here), logs(there))
    // To the bit: a faster way of adding must not move a figure.
    #expect(outcome.probability == Elementary.exp(own[1]))
    #expect(outcome.foilProbability == Elementary.exp(own[2]))
    #expect(outcome.logitDifference == Double(here[1]) - Double(here[2]))
    let divergence = zip(reference, own).reduce(0.0) { $0 + Elementary.exp($1.0) * ($1.0 - $1.1) }
    #expect(outcome.divergence == divergence && divergence > 0)
    #expect(question.outcome(Tensor([1, vocabulary], here)).divergence == nil)
  }
}
