// The model computes only the positions that can reach the output; the reference computes all of
// the padded clip. Both give the same logits, at sizes and lengths that no golden data has.

import Speech
import Tensor
import Testing

@Suite struct ExtentTests {
  static let configs: [Qwen2AudioConfig] = {
    var tied = smallConfig()
    tied.tiesEmbeddings = true
    var unshared = smallConfig()
    unshared.heads = 6
    unshared.keyHeads = 6
    unshared.encoderHeads = 1
    unshared.encoderLayers = 3
    unshared.layers = 1
    var single = smallConfig()
    single.melBands = 80
    single.maxSourcePositions = 37
    single.width = 20
    single.heads = 2
    single.keyHeads = 1
    single.encoderWidth = 10
    single.encoderHeads = 5
    single.audioToken = 30
    return [smallConfig(), tied, unshared, single]
  }()

  private func clip(_ config: Qwen2AudioConfig, _ frames: Int, seed: UInt64 = 5) -> Clip {
    let front = LogMel(bands: config.melBands, samples: 320 * config.maxSourcePositions)
    return Clip(mel: front(noise(frames * 160 - 7, seed: seed)), validFrames: frames)
  }

  private func prompt(_ config: Qwen2AudioConfig, _ frames: Int) -> [Int] {
    let audio = [Int](
      repeating: config.audioToken, count: config.sound.audioTokens(melFrames: frames))
    return [1] + audio + [3, 7, 5, 11]
  }

  private func logits(
    _ model: AudioLanguageModel, _ clips: [Clip], _ prompts: [[Int]], _ extent: Extent
  ) throws -> Tensor {
    let batch = try Batch(
      model.config.sound, clips: clips, prompts: prompts.map { Prompt($0) }, extent: extent)
    return model.logits(
      after: .encoder(0), model.embedded(batch), in: batch,
      rows: batch.lm.sequences.flatMap { Array($0.range) })
  }

  @Test(arguments: configs.indices, [3, 4, 41, 42, 43, 73, 74])
  func paddedEqualsValid(_ index: Int, _ frames: Int) throws {
    let config = Self.configs[index]
    let model = AudioLanguageModel(config, config.busyParameters(UInt64(index)))
    let (clip, prompt) = (clip(config, frames), prompt(config, frames))
    let valid = try logits(model, [clip], [prompt], .valid)
    let padded = try logits(model, [clip], [prompt], .padded)
    #expect(valid.rows == prompt.count && valid.width == config.vocabulary)
    #expect(valid.largestDifference(to: padded) <= 2e-5)
    let scale = valid.numbers.reduce(0) { max($0, abs($1)) }
    #expect(scale > 0.5, "logits that vary, or the comparison says nothing")
  }

  @Test func clipsOfOneBatchDoNotSeeEachOther() throws {
    let config = smallConfig()
    let model = AudioLanguageModel(config, config.busyParameters(3))
    let lengths = [41, 98, 3, 43]
    let clips = lengths.enumerated().map { clip(config, $1, seed: UInt64($0)) }
    let together = try logits(model, clips, lengths.map { prompt(config, $0) }, .valid)
    var row = 0
    for (clip, frames) in zip(clips, lengths) {
      let alone = try logits(model, [clip], [prompt(config, frames)], .valid)
      let own = gatherRows(together, Array(row..<(row + alone.rows)))
      #expect(own.isIdentical(to: alone), "\(frames) frames")
      row += alone.rows
    }
  }

  /// What is written in the published layout is the model rounded to bfloat16, to the bit.
  @Test(arguments: configs.indices) func writtenIsRead(_ index: Int) throws {
    let config = Self.configs[index]
    let small = try SmallCheckpoint(config, seed: UInt64(index))
    let (clip, prompt) = (clip(config, 43), prompt(config, 43))
    func logits(_ model: AudioLanguageModel) throws -> Tensor {
      try self.logits(model, [clip], [prompt], .valid)
    }
    let exact = try logits(AudioLanguageModel(folder: small.folder))
    #expect(try exact.isIdentical(to: logits(AudioLanguageModel(config, small.parameters))))
    try small.write("model.safetensors", safetensorsBytes(small.parameters))
    let rounded = small.parameters.mapValues { tensor in
      Tensor(tensor.shape, tensor.numbers.map(roundedToBF16))
    }
    let read = try AudioLanguageModel(folder: small.folder)
    #expect(read.config as? Qwen2AudioConfig == config)
    #expect(try logits(read).isIdentical(to: logits(AudioLanguageModel(config, rounded))))
    #expect(try !logits(read).isIdentical(to: exact))
  }

  @Test func roundsToTheNearestBF16() {
    for (x, expected) in [
      (1, 1), (1 + 0x1p-8, 1), (1 + 0x1.8p-7, 1 + 0x1p-6), (1 + 0x1.01p-8, 1 + 0x1p-7),
      (-3.3, -3.296875),
    ] as [(Float, Float)] {
      #expect(roundedToBF16(x) == expected)
    }
  }

  /// Branches behind one trunk give what each gives alone.
  @Test func branchesDoNotSeeEachOther() throws {
    let config = smallConfig()
    let model = AudioLanguageModel(config, config.busyParameters(4))
    let clip = clip(config, 43)
    let trunk = Array(prompt(config, 43).dropLast(3))
    let branches = [[7, 5, 11], [8], [6, 9]]
    let batch = try Batch(
      config.sound, clips: [clip], prompts: [Prompt(trunk: trunk, branches: branches)])
    let together = model.logits(
      after: .encoder(0), model.embedded(batch), in: batch, rows: Array(batch.lm.sequences[0].range)
    )
    var row = trunk.count
    for branch in branches {
      let alone = try logits(model, [clip], [trunk + branch], .valid)
      let own = gatherRows(together, Array(row..<(row + branch.count)))
      let tail = gatherRows(alone, Array(trunk.count..<(trunk.count + branch.count)))
      #expect(own.largestDifference(to: tail) <= 2e-5)
      row += branch.count
    }
  }

  /// Behind a text whose keys and values are known, the same logits and gradients.
  @Test func aKnownBeginningChangesNoBit() throws {
    let config = smallConfig()
    let model = AudioLanguageModel(config, config.busyParameters(4))
    let beginning = (0..<2 * rowBlock).map { 3 + $0 % 5 }
    let prompts = [[7, 5, 11], [8], [6, 9]].map { branch in
      Prompt(
        trunk: beginning + [config.audioToken], branches: [branch, branch.reversed() + [4]])
    }
    let tokens = [5, 9, 2]
    let batch = try Batch(config.sound, audioTokens: tokens, prompts: prompts)
    let audio = Tensor([batch.audio.rows, config.lm.width], normal: 1, Random(seed: 3))
    let rows = batch.lm.sequences.flatMap { [$0.range.upperBound - 1, $0.row(of: 30)] }
    let known = (beginning.count, try model.keysValues(ofText: beginning))
    let (whole, part) = (audio.variable, audio.variable)
    let expected = model.logits(after: .connector, whole, in: batch, rows: rows)
    let found = model.logits(ofProjected: part, in: batch, rows: rows, behind: known)
    #expect(found.isIdentical(to: expected))
    let targets = rows.indices.map { 3 + $0 }
    let weights = [Float](repeating: 1, count: rows.count)
    func gradient(_ logits: Tensor, _ input: Tensor) -> Tensor {
      crossEntropy(logits, targets, weights: weights).loss.gradients(of: [input])[0]
    }
    let (a, b) = (gradient(found, part), gradient(expected, whole))
    #expect(a.numbers.contains { abs($0) > 1e-4 })
    #expect(a.isIdentical(to: b))
  }

  /// Without sound, with keys and values kept, what is said is what whole passes say.
  @Test func textIsContinuedAsByWholePasses() throws {
    let config = smallConfig()
    let model = AudioLanguageModel(config, config.busyParameters(4))
    var settings = GenerationConfig()
    settings.limit = 9
    for start in [[7, 5, 11], [8], Array(3..<29)] {
      var said: [Int] = []
      for _ in 0..<settings.limit {
        let logits = try model.logits(ofText: start + said)
        said.append(logits.largest(inRow: logits.rows - 1))
      }
      #expect(try model.generate(afterText: start, settings) == said)
      // An end token ends it and is not said.
      var ending = settings
      ending.endTokens = [said[4]]
      let first = said.firstIndex(of: said[4])!
      #expect(try model.generate(afterText: start, ending) == Array(said[..<first]))
    }
    #expect(throws: CheckpointError.self) { try model.generate(afterText: [], settings) }
    #expect(throws: CheckpointError.self) {
      try model.generate(afterText: [config.vocabulary], settings)
    }
  }
}
