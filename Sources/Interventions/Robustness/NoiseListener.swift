// What hears speech in noise and writes it down: a speech language model that is asked for a transcript, or a
// recogniser (`paper/definitions.md`, D140 and D174).

import Corpus
import Speech
import Tensor

/// A model with the places at which interventions in noise are made.
public protocol NoiseListener: Sendable {
  associatedtype Model: SpeechLanguageModel
  var folder: String { get }
  var model: Model { get }
  /// The neurons of the encoder's MLPs behind the activation function, layer by layer.
  var neuronSites: [Site] { get }
  /// Where all of the sound passes on its way to the text: directions and whole activations are changed there.
  var soundSite: Site { get }

  /// What is run to have a recording written down.
  func asked(_ wave: Waveform) throws -> ModelInput
  /// How many of a site's positions stand for the recording, and not for silence behind it.
  func soundPositions(of clip: Clip, among count: Int) -> Int
  /// The tokens that are written, without the end.
  func written(_ input: ModelInput) throws -> [Int]
  /// What writes an input's text with activations changed, any number of times.
  func writer(of input: ModelInput) throws -> (SpeakingTap?) throws -> String
  /// Whether tokens are the right text.
  func isRight(_ written: [Int], _ text: String) throws -> Bool
  /// A recording in noise and without, asked for the text that noise takes away against the one that is
  /// written; nil where noise takes nothing away.
  func mendingQuestions(_ recording: NoisyRecording, root: String) throws -> (
    noisy: Question, clean: Question
  )?
  /// The runs of a pair's members, over the same frames.
  func sharingFrames(_ pair: MinimalPair, root: String) throws -> (clean: Trace, corrupt: Trace)
}

extension NoiseListener {
  /// A run of a recording that keeps the encoder's neurons and what passes at the sound's site.
  ///
  /// - Parameter base: a run whose frames are kept, where the sound decides which are
  func heard(_ wave: Waveform, like base: Trace? = nil) throws -> Trace {
    // No answer is compared; two tokens that differ stand for them.
    var question = Question(try asked(wave), Answers(0, 1))
    if let base { question = question.keepingFrames(of: base) }
    return try model.trace(question, keeping: neuronSites + [soundSite])
  }

  /// The activation of a site over the sound, [positions, width].
  func sound(of run: Trace, at site: Site) throws -> Tensor {
    sound(of: run.question.clip, in: try run.activation(of: site))
  }

  /// The rows of an activation that are of the sound.
  func sound(of clip: Clip, in activation: Tensor) -> Tensor {
    gatherRows(activation, Array(0..<soundPositions(of: clip, among: activation.rows)))
  }

  /// The row of each of those positions in the tensor that a tap sees.
  func soundRows(of run: Trace, at site: Site) throws -> [Int] {
    let rows = try run.place(of: site).rows
    return Array(rows.prefix(soundPositions(of: run.question.clip, among: rows.count)))
  }
}

// ## Speech language models

extension SpeechModel: NoiseListener {
  public var neuronSites: [Site] {
    (0..<model.encoder.config.layers).map { Site(.encoder, $0, .mlpPost) }
  }
  public var soundSite: Site { SpeechModel.transferSite }

  public func asked(_ wave: Waveform) throws -> ModelInput { try input(hearing: wave) }

  /// What a recording is run with, asked for its transcript.
  ///
  /// - Parameter words: in which it is asked
  func input(hearing wave: Waveform, asked words: String = "transcribe:") throws -> ModelInput {
    let clip = try clip(wave)
    return ModelInput(clip: clip, tokens: try tokens(for: words, clip: clip))
  }

  /// All of them: padding is not computed.
  public func soundPositions(of clip: Clip, among count: Int) -> Int { count }

  public func written(_ input: ModelInput) throws -> [Int] { try transcript(input) }

  public func writer(of input: ModelInput) throws -> (SpeakingTap?) throws -> String {
    { tokenizer.decode(try transcript(input, changing: $0)) }
  }

  /// What is written, where something may be changed on the way.
  func transcript(_ input: ModelInput, changing tap: SpeakingTap? = nil) throws -> [Int] {
    var config = GenerationConfig()
    config.endTokens = endTokens
    config.limit = 16
    return try model.generate(input, config, changing: tap) { _ in }.tokens
  }

  public func isRight(_ written: [Int], _ text: String) throws -> Bool {
    try written == textTokens(text)
  }

  public func mendingQuestions(_ recording: NoisyRecording, root: String) throws -> (
    noisy: Question, clean: Question
  )? {
    try mendingQuestions(recording, asked: "transcribe:", root: root)
  }

  /// The same, asked in other words: the right text against what is written, where that is wrong.
  func mendingQuestions(_ recording: NoisyRecording, asked words: String, root: String) throws -> (
    noisy: Question, clean: Question
  )? {
    let noisy = try input(hearing: recording.noisy(root: root), asked: words)
    let written = try transcript(noisy)
    guard try !isRight(written, recording.text) else { return nil }
    let end = endTokens.min()!
    let answers = try Answers(answer: textTokens(recording.text) + [end], foil: written + [end])
    let clean = try input(hearing: recording.clean(root: root), asked: words)
    return (Question(noisy, answers), Question(clean, answers))
  }
}

// ## Recognisers

extension Recogniser: NoiseListener {
  /// The most tokens of a sentence of the suite; what goes on is a loop.
  private static let limit = 32

  public var neuronSites: [Site] {
    (0..<model.config.encoder.layers).map { Site(.encoder, $0, .mlpPost) }
  }
  /// The stream behind the encoder's last layer, which the decoder attends to.
  public var soundSite: Site { Site(.encoder, model.config.encoder.layers - 1, .residPost) }

  public func asked(_ wave: Waveform) throws -> ModelInput {
    ModelInput(clip: try model.clip(wave), tokens: start)
  }

  /// A recogniser hears the silence behind a recording, too, which is left as it is.
  public func soundPositions(of clip: Clip, among count: Int) -> Int {
    clip.encoderPositions(among: count)
  }

  public func written(_ input: ModelInput) throws -> [Int] {
    try model.generate(input, config) { _ in }.tokens
  }

  /// Goes on from the encoder's last layer, where nothing before it is changed.
  public func writer(of input: ModelInput) throws -> (SpeakingTap?) throws -> String {
    let listened = try listened(to: input.clip)
    return { tap in
      if let tap, !tap.sites.isSubset(of: [soundSite]) {
        let said = try model.generate(input, config, changing: tap) { _ in }
        return tokenizer.decode(said.tokens, skippingSpecialTokens: true)
      }
      return try hearing(of: listened, limit: Self.limit, changing: tap).transcript.text
    }
  }

  private var config: GenerationConfig {
    var config = generation
    config.limit = Self.limit
    return config
  }

  /// Case, marks and figures are the model's own; words decide.
  public func isRight(_ written: [Int], _ text: String) throws -> Bool {
    errors(written, text) == 0
  }

  private func errors(_ written: [Int], _ text: String) -> Int {
    let said = tokenizer.decode(written, skippingSpecialTokens: true)
    return WordErrors(of: spelledOut(said), against: text).errors
  }

  /// What the recogniser writes of the recording without noise, right or not, against what it writes in noise,
  /// where that has more wrong words.
  public func mendingQuestions(_ recording: NoisyRecording, root: String) throws -> (
    noisy: Question, clean: Question
  )? {
    let (noisy, clean) = (
      try asked(recording.noisy(root: root)), try asked(recording.clean(root: root))
    )
    let (inNoise, without) = (try written(noisy), try written(clean))
    guard errors(inNoise, recording.text) > errors(without, recording.text) else { return nil }
    let end = try silenceTokens.end
    let answers = try Answers(answer: without + [end], foil: inNoise + [end])
    return (Question(noisy, answers), Question(clean, answers))
  }

  public func sharingFrames(_ pair: MinimalPair, root: String) throws -> (
    clean: Trace, corrupt: Trace
  ) {
    (try heard(pair.clean.waveform(root: root)), try heard(pair.corrupt.waveform(root: root)))
  }
}
