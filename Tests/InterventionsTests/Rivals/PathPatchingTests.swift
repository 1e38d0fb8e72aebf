// Path patching: identities where all paths are known, a second implementation, models that are linear by
// construction, and what no path is.

import Interventions
import Speech
import Tensor
import Testing

/// A small model whose parameters can be written over, two questions and an unrelated one.
private struct PathModel {
  let model: AudioLanguageModel
  let parameters: Parameters
  let (corrupt, clean, other): (Question, Question, Question)

  static func config(layers: Int) -> Qwen2AudioConfig {
    var config = Qwen2AudioConfig()
    (config.melBands, config.encoderWidth, config.encoderLayers) = (24, 18, 2)
    (config.encoderHeads, config.encoderMLP, config.maxSourcePositions) = (3, 29, 50)
    (config.vocabulary, config.width, config.layers) = (31, 24, layers)
    (config.heads, config.keyHeads, config.mlp) = (4, 2, 37)
    (config.maxPositions, config.audioToken) = (96, 2)
    return config
  }

  init(layers: Int = 3, edit: (inout [String: Tensor]) -> Void = { _ in }) {
    let config = Self.config(layers: layers)
    let random = Random(seed: 11)
    var parameters = Dictionary(
      uniqueKeysWithValues: config.randomParameters(random).map { name, tensor in
        (name, (tensor + Tensor(tensor.shape, normal: 0.2, random.split(name + "+"))).detached)
      })
    edit(&parameters)
    self.parameters = parameters
    model = AudioLanguageModel(config, parameters)
    let front = LogMel(bands: config.melBands, samples: 16_000)
    func question(_ frames: Int, _ seed: UInt64) -> Question {
      let wave = Tensor([frames * 160 - 9], normal: 0.1, Random(seed: seed)).numbers
      let audio = [Int](repeating: 2, count: config.sound.audioTokens(melFrames: frames))
      return Question(
        clip: Clip(mel: front(wave), validFrames: frames), tokens: [1] + audio + [3, 7, 5, 9],
        answer: 12, foil: 17)
    }
    (corrupt, clean, other) = (question(61, 1), question(61, 2), question(75, 3))
  }

  /// Every norm divides by a constant and every MLP and attention is linear, to rounding: coordinate 0 of the
  /// stream is 10^5 and nothing writes to it; patterns are even; gates read coordinate 0 alone.
  static func linear() -> PathModel {
    PathModel { parameters in
      let constant: Float = 1e5
      let width = 24
      for (name, tensor) in parameters {
        guard name.hasPrefix("language_model") || name.hasPrefix("multi_modal") else { continue }
        var numbers = tensor.numbers
        func each(row: (Int) -> Void) { (0..<numbers.count / tensor.width).forEach(row) }
        let writes = ["o_proj.weight", "down_proj.weight", "linear.weight"]
        if name.hasSuffix("embed_tokens.weight") {
          each { numbers[$0 * width] = constant }
        } else if name.hasSuffix("projector.linear.bias") {
          numbers[0] = constant
        } else if writes.contains(where: name.hasSuffix) {
          for i in 0..<tensor.width { numbers[i] = 0 }
        } else if name.hasSuffix("q_proj.weight") || name.hasSuffix("k_proj.weight")
          || name.hasSuffix("q_proj.bias") || name.hasSuffix("k_proj.bias")
        {
          for i in numbers.indices { numbers[i] = 0 }
        } else if name.hasSuffix("gate_proj.weight") {
          each { row in for j in 1..<width { numbers[row * width + j] = 0 } }
        } else if name.hasSuffix("v_proj.weight") || name.hasSuffix("up_proj.weight")
          || name.hasSuffix("lm_head.weight")
        {
          each { numbers[$0 * width] = 0 }
        } else if name.hasSuffix("norm.weight") {
          // What the constant divides by is put back; the gates' coordinate stays near 1.
          for i in 1..<width { numbers[i] = constant / Float(width).squareRoot() }
          numbers[0] = 1 / Float(width).squareRoot()
        }
        parameters[name] = Tensor(tensor.shape, numbers)
      }
    }
  }

  func traces(_ sites: [Site] = []) throws -> (base: Trace, source: Trace) {
    let kept = model.pathSites(model.pathReceivers) + sites
    return (
      try model.trace(corrupt, keeping: kept), try model.trace(clean, keeping: kept)
    )
  }

  func sender(_ cell: Cell, _ base: Trace, _ source: Trace) throws -> Patch {
    let all = Array(try base.place(of: cell.site).rows.indices)
    let positions =
      cell.window == .all ? all : cell.window.positions(in: try base.place(of: cell.site).spans)
    return Patch(
      cell.site, positions: positions, index: cell.index,
      taking: try source.rows(of: cell, at: positions))
  }
}

private let connector = Site(.connector, .out)

private func lm(_ layer: Int, _ activation: Site.Activation, _ index: Int? = nil) -> Cell {
  Cell(Site(.lm, layer, activation), index: index)
}

private func largestDifference(_ a: Tensor, _ b: Tensor) -> Float {
  zip(a.numbers, b.numbers).map { abs($0 - $1) }.max()!
}

@Suite struct PathPatchingTests {
  @Test func answersAreComparedWhereTheyPart() throws {
    let small = Small()
    let answers = try Answers(answer: [3, 5, 12], foil: [3, 5, 17])
    func asked(_ question: Question) -> Question {
      Question(ModelInput(clip: question.clip, tokens: question.tokens), answers)
    }
    let site = Site(.connector, .out)
    let base = try small.model.trace(
      asked(small.question), keeping: small.model.pathSites([]) + [site])
    let source = try small.model.trace(asked(small.source), keeping: [site])
    let positions = Array(try base.place(of: site).rows.indices)
    let patch = Patch(
      site, positions: positions, taking: try source.rows(of: Cell(site), at: positions))
    let effects = try small.model.pathEffects(base, from: patch, through: [])
    let patched = try small.model.patched(base, [[patch]])[0]
    #expect(effects.whole == patched.logitDifference - base.logitDifference)
    #expect(abs(effects.whole) > 0.001)
    // Where the answers still share a token, their logits would say something else.
    let first = try small.model.pathLogits(base, from: patch, through: []).whole
    let early = { (logits: Tensor) in Double(logits[0, 12]) - Double(logits[0, 17]) }
    #expect(abs(early(first) - early(base.logits) - effects.whole) > 1e-4)
  }

  @Test func keysAndValuesOfOneLayerAreTheWholeEffectOfSoundToTheBit() throws {
    let small = PathModel(layers: 1)
    let (base, source) = try small.traces([connector])
    let both = PathReceiver("keys and values", [lm(0, .k), lm(0, .v)])
    let paths = try small.model.pathLogits(
      base, from: small.sender(Cell(connector), base, source), through: [both])
    #expect(largestDifference(paths.whole, base.logits) > 0.1)
    #expect(paths.through[0].numbers == paths.whole.numbers)
    // The last position is text, so nothing of the sound reaches it directly.
    #expect(paths.direct.numbers == base.logits.numbers)
  }

  @Test func directEffectIsTheWholeWhereNothingFollows() throws {
    let small = PathModel()
    let cell = lm(2, .mlpOut)
    let (base, source) = try small.traces()
    let paths = try small.model.pathLogits(
      base, from: small.sender(cell, base, source), through: [])
    #expect(largestDifference(paths.whole, base.logits) > 1e-3)
    #expect(paths.direct.numbers == paths.whole.numbers)
  }

  @Test func pathsAddUpWhereTheModelIsLinear() throws {
    let small = PathModel.linear()
    let cells = [
      Cell(connector), Cell(connector, .positions(3, 6)), lm(0, .z, 1), lm(0, .mlpOut),
      lm(1, .attnOut),
    ]
    let (base, source) = try small.traces(
      [connector] + cells.dropFirst(2).map(\.site))
    let receivers = small.model.pathReceivers
    for cell in cells {
      let effects = try small.model.pathEffects(
        base, from: small.sender(cell, base, source), through: receivers)
      #expect(abs(effects.whole) > 1e-3, "\(cell)")
      let share = effects.sum / effects.whole
      #expect(abs(share - 1) < 1e-3, "\(cell): \(share) of \(effects.whole)")
      // Even patterns are asked nothing; more than one path carries the sum.
      for (receiver, effect) in zip(receivers, effects.through) where receiver.name.hasPrefix("lm")
      {
        if receiver.name.hasSuffix("q") || receiver.name.hasSuffix("k") {
          #expect((effect ?? 0) == 0)
        }
      }
      let least = 1e-3 * abs(effects.whole)
      #expect(effects.through.count { abs($0 ?? 0) > least } > 2, "\(cell)")
    }
    let trained = PathModel()
    let (own, other) = try trained.traces([connector])
    let bent = try trained.model.pathEffects(
      own, from: trained.sender(Cell(connector), own, other), through: receivers)
    let bentShare = bent.sum / bent.whole
    #expect(abs(bentShare - 1) > 0.01)
  }

  @Test func directEffectIsTheLogitAttributionThroughTheFrozenNorm() throws {
    // In the linear model the norm is frozen by construction; in the other one it is computed anew.
    for (small, frozen) in [(PathModel.linear(), true), (PathModel(), false)] {
      let cell = lm(1, .z, 2)
      let end = Site(.lm, 2, .residPost)
      let (base, source) = try small.traces([cell.site, end])
      let last = base.tokens - 1
      let own = try base.rows(of: cell, at: [last])
      let move = try (source.rows(of: cell, at: [last]) - own) * 30
      let found = try small.model.pathEffects(
        base, from: Patch(cell.site, positions: [last], index: 2, taking: own + move),
        through: [])
      let out = small.parameters["language_model.model.layers.1.self_attn.o_proj.weight"]!.numbers
      let norm = small.parameters["language_model.model.norm.weight"]!.numbers
      let head = small.parameters["language_model.lm_head.weight"]!.numbers
      let stream = try base.rows(of: Cell(end), at: [last]).numbers.map(Double.init)
      let step = (0..<24).map { row in
        (0..<6).reduce(0.0) { $0 + Double(out[row * 24 + 12 + $1]) * Double(move.numbers[$1]) }
      }
      func rms(_ x: [Double]) -> Double {
        (x.reduce(0) { $0 + $1 * $1 } / 24 + 1e-6).squareRoot()
      }
      func difference(_ x: [Double], over scale: Double) -> Double {
        (0..<24).reduce(0) {
          $0 + x[$1] / scale * Double(norm[$1]) * Double(head[12 * 24 + $1] - head[17 * 24 + $1])
        }
      }
      let moved = zip(stream, step).map(+)
      let expected =
        frozen
        ? difference(step, over: rms(stream))
        : difference(moved, over: rms(moved)) - difference(stream, over: rms(stream))
      #expect(abs(expected) > 1e-2)
      let tolerance = 1e-5 * (1 + abs(expected))
      #expect(abs(found.direct - expected) < tolerance, "\(found.direct), by hand \(expected)")
    }
  }

  @Test func theBaseAsItsOwnSourceHasNoPathAtAll() throws {
    let small = PathModel()
    let cells = [Cell(connector), lm(0, .z, 1), lm(1, .mlpOut), Cell(Site(.encoder, 0, .attnOut))]
    let (base, _) = try small.traces(cells.map(\.site))
    let receivers = small.model.pathReceivers
    for cell in cells {
      let effects = try small.model.pathEffects(
        base, from: small.sender(cell, base, base), through: receivers)
      #expect(effects.whole == 0 && effects.direct == 0)
      #expect(effects.through.allSatisfy { ($0 ?? 0) == 0 })
      #expect(effects.through.contains(0))
    }
  }

  /// Two full runs from the sound on, with whole activations put in the place of what a tap sees; nothing of
  /// patches, traces or resumption is used.
  @Test func aSecondImplementationGivesTheSameLogits() throws {
    let small = Small(seed: 4)
    let model = small.model
    let sender = Site(.lm, 0, .z)
    let (_, clean) = try small.run(small.source)
    let (_, corrupt) = try small.run(small.question)
    let receivers = [
      lm(1, .q), lm(1, .k, 1), lm(2, .v), lm(2, .q, 3), lm(0, .mlpPost), lm(1, .mlpPost),
    ]
    let kept = model.pathSites(receivers.map { PathReceiver($0) }) + [sender]
    let (base, source) = (
      try model.trace(small.question, keeping: kept),
      try model.trace(small.source, keeping: [sender])
    )
    let positions = Array(try base.place(of: sender).rows.indices)
    let patch = Patch(
      sender, positions: positions, index: 2,
      taking: try source.rows(of: Cell(sender, index: 2), at: positions))
    let paths = try model.pathLogits(base, from: patch, through: receivers.map { PathReceiver($0) })

    /// One run with every site rewritten: the last position's logits, and each activation.
    func run(_ rewritten: @escaping (Site, Tensor) -> Tensor) throws -> (Tensor, [Site: Tensor]) {
      let batch = try Batch(
        model.config.sound, clips: [small.question.clip],
        prompts: [Prompt(small.question.tokens)])
      var states: [Site: Tensor] = [:]
      let logits = model.logits(
        after: .encoder(0), model.embedded(batch), in: batch,
        rows: [small.question.tokens.count - 1],
        tap: Tap { site, x in
          let x = rewritten(site, x)
          states[site] = x
          return x
        })
      return (logits, states)
    }
    func columns(_ range: Range<Int>, of x: Tensor, from new: Tensor, rows: [Int]) -> Tensor {
      small.replaced(x, rows) { row, j in range.contains(j) ? new[row, j] : x[row, j] }
    }
    let rows = try base.place(of: sender).rows
    let (bare, seen) = try run { site, x in
      if site == sender { return columns(12..<18, of: x, from: clean[site]!, rows: rows) }
      let isLater = site.layer.map { $0 > 0 } == true && site.activation == .attnOut
      return site.stage == .lm && (isLater || site.activation == .mlpOut) ? corrupt[site]! : x
    }
    #expect(largestDifference(bare, paths.direct) < 1e-6)
    for (cell, logits) in zip(receivers, paths.through) {
      let width = seen[cell.site]!.width
      let range = cell.index.map { $0 * 6..<($0 + 1) * 6 } ?? 0..<width
      let (mine, _) = try run { site, x in
        site == cell.site ? columns(range, of: x, from: seen[site]!, rows: rows) : x
      }
      #expect(largestDifference(mine, logits) < 1e-6, "\(cell)")
      #expect(largestDifference(mine, base.logits) > 1e-5, "\(cell)")
    }
    let (whole, _) = try run { site, x in
      site == sender ? columns(12..<18, of: x, from: clean[site]!, rows: rows) : x
    }
    #expect(largestDifference(whole, paths.whole) < 1e-6)
  }

  @Test func whatWhispersEncoderWritesLastIsHeardThroughCrossAttentionAlone() throws {
    let config = try WhisperConfig([
      "num_mel_bins": 24, "d_model": 18, "encoder_layers": 2, "encoder_attention_heads": 3,
      "encoder_ffn_dim": 29, "max_source_positions": 50, "decoder_layers": 1,
      "decoder_attention_heads": 3, "decoder_ffn_dim": 31, "vocab_size": 33,
      "max_target_positions": 20,
    ])
    let model = Whisper(config, Weights(config.randomParameters(Random(seed: 5))))
    func question(_ seed: UInt64) throws -> Question {
      let wave = Waveform(samples: Tensor([9000], normal: 0.1, Random(seed: seed)).numbers)
      return Question(clip: try model.clip(wave), tokens: [1, 2, 3], answer: 12, foil: 17)
    }
    let sender = Site(.encoder, 1, .mlpOut)
    let decoder = Site.Stage(rawValue: "decoder")
    let both = PathReceiver(
      "heard", [Cell(Site(decoder, 0, .crossK)), Cell(Site(decoder, 0, .crossV))])
    let kept = model.pathSites(model.pathReceivers) + [sender]
    let (base, source) = (
      try model.trace(question(6), keeping: kept), try model.trace(question(7), keeping: kept)
    )
    let all = Array(try base.place(of: sender).rows.indices)
    let patch = Patch(
      sender, positions: all, taking: try source.rows(of: Cell(sender), at: all))
    let paths = try model.pathLogits(base, from: patch, through: [both])
    #expect(largestDifference(paths.whole, base.logits) > 1e-4)
    #expect(paths.through[0].numbers == paths.whole.numbers)
    #expect(paths.direct.numbers == base.logits.numbers)
    // One encoder head into one cross-attention head's values is a path too, and not all of them.
    let head = Site(.encoder, 0, .z)
    let one = PathReceiver(Cell(Site(decoder, 0, .crossV), index: 1))
    let (here, there) = (
      try model.trace(question(6), keeping: kept + [head]),
      try model.trace(question(7), keeping: [head])
    )
    let effects = try model.pathEffects(
      here,
      from: Patch(
        head, positions: all, index: 2,
        taking: try there.rows(of: Cell(head, index: 2), at: all)), through: [one])
    #expect(effects.through[0]! != 0 && effects.through[0]! != effects.whole)
    // The decoder's own stream is not what its keys and values of the sound read.
    let own = Patch(Site(decoder, 0, .attnOut), positions: [2]) { $0 * 2 }
    #expect(throws: CellError.self) { try model.pathLogits(base, from: own, through: [both]) }
  }

  @Test func whatIsNoPathIsAnErrorThatSaysSo() throws {
    let small = PathModel()
    let (base, source) = try small.traces([connector, Site(.lm, 1, .z)])
    let late = try small.sender(lm(1, .z, 0), base, source)
    func message(_ body: () throws -> PathLogits) -> String {
      do { _ = try body() } catch { return "\(error)" }
      return "no error"
    }
    func paths(_ sender: Patch, _ cell: Cell) -> String {
      message { try small.model.pathLogits(base, from: sender, through: [PathReceiver(cell)]) }
    }
    for cell in [lm(0, .v), lm(1, .q), lm(0, .mlpPost), Cell(Site(.encoder, 1, .k))] {
      #expect(paths(late, cell).contains("computed before lm.1.attn.z"))
    }
    #expect(paths(late, lm(2, .rotK)).contains("before rotary positions"))
    #expect(paths(late, lm(2, .mlpOut)).contains("mlp.post"))
    #expect(paths(late, lm(7, .q)).contains("no site"))
    #expect(paths(late, lm(2, .q, 9)).contains("heads"))
    #expect(paths(late, Cell(Site(.lm, 2, .q), .milliseconds(5000, 6000))).contains("no position"))
    let stream = Patch(Site(.lm, 1, .residPre), positions: [0]) { $0 * 2 }
    #expect(paths(stream, lm(2, .q)).contains("no path begins there"))
    #expect(paths(Patch(connector, positions: [999]) { $0 }, lm(2, .q)).contains("positions"))
    let bare = try small.model.trace(small.corrupt, keeping: [connector])
    let sound = try small.sender(Cell(connector), bare, source)
    #expect(
      message { try small.model.pathLogits(bare, from: sound, through: [PathReceiver(lm(0, .v))]) }
        .contains("not kept"))
    // The matrix leaves such entries out.
    let effects = try small.model.pathEffects(
      base, from: late, through: [PathReceiver(lm(0, .v)), PathReceiver(lm(2, .v))])
    #expect(effects.through[0] == nil && effects.through[1] != nil)
  }

  @Test func theUnrelatedItemMovesTheSenderAsFar() throws {
    let small = PathModel()
    let (base, source) = try small.traces([connector])
    let stranger = try small.model.trace(small.other, keeping: [connector])
    let window = TimeSpan(150, 290)
    let sender = PathSender(connector, .changed(margin: 0))
    let receivers = small.model.pathReceivers
    let reading = try small.model.pathReading(
      base, from: source, unrelated: stranger, shift: 80, changed: window, senders: [sender],
      through: receivers)
    // By hand: two positions of 40 ms further on there, as long a move.
    let positions = try PairWindow.changed(margin: 0).positions(
      in: base.place(of: connector).spans, changed: window, of: "")
    func rows(_ trace: Trace, _ shift: Int) throws -> Tensor {
      try trace.rows(of: Cell(connector), at: positions.map { $0 + shift })
    }
    let own = try rows(base, 0)
    let (real, other) = (try rows(source, 0) - own, try rows(stranger, 2) - own)
    let moved = own + other * Float(real.norm / other.norm)
    let length = (moved - own).norm / real.norm
    #expect(abs(length - 1) < 1e-5)
    let expected = try small.model.pathEffects(
      base, from: Patch(connector, positions: positions, taking: moved), through: receivers)
    #expect(reading.unrelated[0] == expected)
    #expect(reading.own == 0)
    #expect(reading.unrelated[0].whole != reading.effects[0].whole)
    #expect(
      reading.effects[0]
        == (try small.model.pathEffects(
          base, from: Patch(connector, positions: positions, taking: try rows(source, 0)),
          through: receivers)))
    #expect(throws: CellError.self) {
      try small.model.pathReading(
        base, from: source, unrelated: stranger, shift: 0, changed: nil, senders: [sender],
        through: receivers)
    }
  }

  @Test func theStrongestSendersAreThoseOfTheLargestMean() throws {
    func reading(_ wholes: [Double]) -> PathReading {
      let effects = wholes.map { PathEffects(whole: $0, through: [], direct: 0) }
      return PathReading(
        senders: wholes.indices.map { "s\($0)" }, receivers: [], clean: 1, corrupt: -1,
        effects: effects, unrelated: effects, own: 0)
    }
    let readings = [reading([1, -2, 5, 3]), reading([1, -2, -5, 1])]
    #expect(try readings.strongestSenders(3) == [1, 3, 0])
    #expect(throws: CellError.self) { try readings.strongestSenders(5) }
    #expect(throws: CellError.self) { try (readings + [reading([1])]).strongestSenders(1) }
    let small = PathModel()
    let heads = try small.model.headSenders(in: small.model.trace(small.corrupt))
    #expect(heads.count == 2 * 3 + 3 * 4 && heads[0].name == "encoder.0.attn.z[0]@all")
  }

  @Test func summariesAreThoseOfHand() throws {
    func reading(_ whole: Double, _ through: [Double?], _ direct: Double) -> PathReading {
      PathReading(
        senders: ["s"], receivers: ["a", "b", "c"], clean: 5, corrupt: -5,
        effects: [PathEffects(whole: whole, through: through, direct: direct)],
        unrelated: [PathEffects(whole: 1, through: [0.5, nil, 0], direct: 0)], own: 0)
    }
    let readings = [
      reading(4, [3, nil, 0.5], 0.5), reading(2, [1, nil, 2], -2), reading(6, [1, nil, 5], 2),
    ]
    let summary = try readings.pathSummary(
      "s", groups: ["x", "y", "z"], draws: 200, Random(seed: 3))
    #expect(summary.whole.value == 4)
    #expect(summary.sum.value == 13.0 / 12)
    #expect(summary.interaction.value == 3.0 / 12)
    #expect(summary.through[1] == nil && summary.through[0]?.value == 5.0 / 3)
    #expect(summary.direct.value == 0.5 / 3)
    #expect(summary.unrelated.value == 0.25 && summary.unrelatedSum.value == 0.125)
    // Over all c carries most, 7.5; without the third a does, 4, which carries 1 there.
    #expect(summary.top == "c")
    let held = (0.5 + 2 + 1) / 12
    #expect(summary.topShare.value == held)
    // The sum's interval of three groups is wide enough to hold 1; far off it and narrow it does not hold.
    #expect(summary.addsUp)
    let apart = try [reading(2, [1, nil, 0], 0), reading(4, [2, nil, 0], 0)].pathSummary(
      "s", groups: ["x", "y"], draws: 200, Random(seed: 3))
    #expect(apart.sum == Estimate(value: 0.5, low: 0.5, high: 0.5) && !apart.addsUp)
    #expect(throws: CellError.self) {
      try readings.pathSummary("s", groups: ["x"], draws: 10, Random(seed: 3))
    }
    #expect(throws: CellError.self) {
      try readings.pathSummary("t", groups: ["x", "y", "z"], draws: 10, Random(seed: 3))
    }
    #expect(throws: CellError.self) {
      try [PathReading]().pathSummary("s", groups: [], draws: 10, Random(seed: 3))
    }
  }
}
