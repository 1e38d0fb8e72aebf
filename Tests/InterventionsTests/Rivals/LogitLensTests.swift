// The logit lens against models whose later layers write nothing, and what it says of a layer by hand.

import Interventions
import Speech
import Tensor
import Testing

@Suite struct LogitLensTests {
  let small = Small()

  /// The model with layers from one on that write nothing: it ends where the lens reads.
  private func cut(to depth: Int) -> AudioLanguageModel {
    let random = Random(seed: 1)
    let parameters = small.config.randomParameters(random).map { name, tensor -> (String, Tensor) in
      let full = (tensor + Tensor(tensor.shape, normal: 0.2, random.split(name + "+"))).detached
      let isSilent = (depth..<small.config.layers).contains {
        name.contains("language_model.model.layers.\($0).")
          && (name.hasSuffix("o_proj.weight") || name.hasSuffix("down_proj.weight"))
      }
      return (name, isSilent ? full * 0 : full)
    }
    return AudioLanguageModel(small.config, Dictionary(uniqueKeysWithValues: parameters))
  }

  @Test func aLayerIsReadAsIfItWereTheLast() throws {
    let run = try small.model.trace(small.question, keeping: small.model.lensSites)
    let found = try small.model.logitLens(run)
    #expect(small.model.lensSites.map(\.description).first == "lm.embed")
    #expect(found.count == small.config.layers + 1 && found[3].numbers == run.logits.numbers)
    for depth in 0...3 {
      let alone = try cut(to: depth).trace(small.question).logits.numbers
      #expect(zip(found[depth].numbers, alone).allSatisfy { abs($0 - $1) < 1e-5 }, "depth \(depth)")
      if depth < 3 { #expect(zip(alone, run.logits.numbers).contains { abs($0 - $1) > 0.1 }) }
    }
  }

  @Test func forcedTokensAreReadWhereTheAnswersPart() throws {
    let answers = try Answers(answer: [3, 5, 12], foil: [3, 5, 17])
    let question = Question(
      ModelInput(clip: small.question.clip, tokens: small.question.tokens), answers)
    let run = try small.model.trace(question, keeping: small.model.lensSites)
    #expect(run.logits.rows > 1)
    let found = try small.model.logitLens(run)
    #expect(found[3].numbers == (0..<31).map { run.logits[2, $0] })
    let layers = try small.model.lensed(run)
    #expect(abs(layers[3].logitDifference - run.logitDifference) < 1e-5)
    #expect(layers[3].rank == 1 && layers[3].final == layers[3].probability)
  }

  @Test func aLayerByHand() {
    let layer = LensedLayer(
      Site(.lm, 0, .residPost), Tensor([1, 4], [0, 2, 1, 2]), said: 2, answer: 3, foil: 0)
    #expect(layer.token == 1 && layer.rank == 3 && layer.logitDifference == 2)
    let total = 2 + Elementary.exp(-1) + Elementary.exp(-2)
    #expect(abs(layer.probability - 1 / total) < 1e-12)
    #expect(abs(layer.final - Elementary.exp(-1) / total) < 1e-12)
  }

  @Test func aRunThatHasNotKeptALayerIsRefused() throws {
    let run = try small.model.trace(small.question).reduced(to: [])
    let error = #expect(throws: CellError.self) { try small.model.logitLens(run) }
    #expect(error?.description.contains("has not kept") == true)
  }
}
