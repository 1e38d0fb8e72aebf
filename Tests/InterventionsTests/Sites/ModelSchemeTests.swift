// The scheme that a figure of an architecture is drawn from says what the model and its runs say.

import Interventions
import JSON
import Speech
import Tensor
import Testing

@Suite struct ModelSchemeTests {
  @Test func stagesAreThoseOfTheModel() throws {
    let small = Small()
    let trace = try small.model.trace(small.question)
    let scheme = try small.model.scheme(small.config.stages, of: trace)
    #expect(scheme.map(\.stage) == [.encoder, .connector, .lm])
    #expect(scheme.map(\.layers) == [small.config.encoderLayers, 0, small.config.layers])
    #expect(
      scheme.map(\.width) == [small.config.encoderWidth, small.config.width, small.config.width])
    #expect(scheme.map(\.early) == [1, 0, 1])
    #expect(scheme.flatMap(\.sites) == small.model.mapSites)
    #expect(scheme.map(\.attendsAcross) == [false, false, false])
    // Text stands around the sound, and the sound is as long as what the connector gives.
    let (tokens, sound) = (scheme[2].spans, scheme[1].spans)
    #expect(tokens.count == small.question.tokens.count && tokens.first == .some(nil))
    #expect(tokens.compactMap { $0 } == sound.compactMap { $0 })
    // What the configuration says of a position is what the run gives it.
    for stage in scheme.prefix(2) {
      #expect(stage.milliseconds != nil)
      for case let span? in stage.spans { #expect(span.end - span.start == stage.milliseconds) }
    }
    #expect(scheme[2].milliseconds == nil)
  }

  @Test func crossAttentionIsSeenWhereThereIsOne() throws {
    let config = try WhisperConfig([
      "num_mel_bins": 24, "d_model": 18, "encoder_layers": 2, "encoder_attention_heads": 3,
      "encoder_ffn_dim": 29, "max_source_positions": 50, "decoder_layers": 4,
      "decoder_attention_heads": 3, "decoder_ffn_dim": 31, "vocab_size": 33,
      "max_target_positions": 20,
    ])
    let model = Whisper(config, Weights(config.randomParameters(Random(seed: 5))))
    let wave = Waveform(samples: Tensor([9000], normal: 0.1, Random(seed: 6)).numbers)
    let question = Question(
      clip: try model.clip(wave), tokens: [1, 2, 3], answer: 12, foil: 17)
    let scheme = try model.scheme(config.stages, of: model.trace(question))
    #expect(scheme.map { "\($0.stage.rawValue)" } == ["encoder", "decoder"])
    #expect(scheme.map(\.attendsAcross) == [false, true])
    #expect(scheme.map(\.layers) == [2, 4] && scheme[1].early == 2)
  }
}
