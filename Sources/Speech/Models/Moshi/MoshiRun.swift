// The state of a run of Moshi: the codec, what enters the temporal transformer, its layers, and the depth
// transformer where somebody listens to it.

import Tensor

extension Moshi {
  public var cuts: [Cut] {
    mimi.cuts + [Cut(Site(.connector, .out)), Cut(Site(.lm, .embed))]
      + lm.blocks.indices.map { Cut(Site(.lm, $0, .residPost)) }
      + [Cut(Site(.depth, .embed), .spoken)]
      + (0..<depth.layers).map { Cut(Site(.depth, $0, .residPost), .spoken) }
  }

  /// The text stream is the input's tokens, continued with the padding token to the frames of the clip.
  /// What is forced is said instead from the last frame of the clip on, where a single token would be
  /// read, and continuations behind it, a token a frame; meanwhile both voices are silent, whatever
  /// was heard, so that runs on different sound differ in nothing else.
  public func begin(_ input: ModelInput, remembering: Bool, tap: Tap?) throws -> any RunState {
    let codec = MimiRun(mimi, input.clip.samples, tap)
    let count = codec.frames.sequences[0].count
    let longest =
      count + input.forced.count + (input.continuations.map(\.count).max() ?? 0)
    let silence = silence(longest)
    let voice = input.voice ?? silence
    try check(
      input.tokens + input.forced + input.continuations.joined(), voice, count, of: longest)
    return MoshiRun(
      self, codec, MoshiScript(input, heard: count, longest, voice, silence, self), remembering)
  }
}

/// What is said and heard beside the user, the same in all runs of one question.
private struct MoshiScript: Sendable {
  /// Frames of the clip, and steps before answers part.
  let heard: Int
  let trunk: Int
  let text: [Int]
  let voice: [[Int]]
  let silence: [[Int]]
  let prompt: Prompt

  init(
    _ input: ModelInput, heard: Int, _ longest: Int, _ voice: [[Int]], _ silence: [[Int]],
    _ model: Moshi
  ) {
    (self.heard, self.silence) = (heard, silence)
    trunk = heard + input.forced.count
    let padding = model.config.padding
    let rest = [Int](repeating: padding, count: max(0, longest - input.tokens.count))
    text = input.tokens.prefix(heard) + rest
    self.voice = MoshiScript.falling(voice, silence, heard)
    // The text's delay is that of its stream alone.
    let delayed = model.streams(text: text, voice: self.voice, user: self.voice).inputs[0]
    prompt = Prompt(trunk: delayed.prefix(heard) + input.forced, branches: input.continuations)
  }

  private static func falling(_ codes: [[Int]], _ silence: [[Int]], _ heard: Int) -> [[Int]] {
    zip(codes, silence).map { Array($0.prefix(heard) + $1[heard...]) }
  }

  /// All streams of a run that hears these codes.
  func streams(_ user: [[Int]], _ model: Moshi) -> Moshi.Streams {
    model.streams(text: text, voice: voice, user: Self.falling(user, silence, heard))
  }
}

/// Runs of Moshi at one of its cuts.
struct MoshiRun: RecordedRun {
  private let model: Moshi
  private(set) var cut = 0
  var streams: [Tensor]
  var record: RunRecord
  private var codec: MimiRun
  private let script: MoshiScript
  private var layout: Layout
  /// What each run is to say next, by stream and step; known behind the codec.
  private var targets: [[[Int]]] = []
  private var logits: Tensor?

  fileprivate init(_ model: Moshi, _ codec: MimiRun, _ script: MoshiScript, _ remembers: Bool) {
    (self.model, self.codec, self.script) = (model, codec, script)
    record = RunRecord(remembering: remembers)
    streams = codec.streams
    layout = Layout(counts: [script.prompt.tokens.count], visible: [script.prompt.visible])
  }

  /// The cuts at the latents, before the temporal transformer, behind it, and at the end.
  private var latents: Int { model.mimi.layers + 1 }
  private var temporal: Int { latents + 2 }
  private var spoken: Int { temporal + model.lm.blocks.count }
  private var end: Int { spoken + 1 + model.depth.layers }

  func site(ofStream index: Int) -> Site? { index == 0 ? model.cuts[cut].site : nil }

  func stacked(_ copies: Int, knowing memory: RunMemory) -> MoshiRun {
    var run = self
    run.record = record.stacked(copies, knowing: memory)
    run.streams = streams.map { $0.repeated(copies) }
    run.codec = codec.stacked(copies, knowing: memory)
    run.layout = layout.repeated(copies)
    run.targets = (0..<copies).flatMap { _ in targets }
    run.logits = logits?.repeated(copies)
    return run
  }

  mutating func advance(tap: Tap?) -> Bool {
    switch cut {
    case ..<latents:
      codec.streams = streams
      _ = codec.advance(tap: tap)
      streams = codec.streams
    case latents:
      codec.streams = streams
      listen(tap)
    case latents + 1:
      // Text, the model's own voice and the user's.
      let whole = streams[1] + streams[0]
      streams = [tap?(Site(.lm, .embed), whole) ?? whole]
    case ..<spoken: advanceTemporal(cut - temporal, tap)
    case spoken:
      guard let tap, tap.listens(to: .depth), record.prefix == nil else { return false }
      enterDepth(tap)
    case ..<end:
      streams[0] = model.depth.layer(
        cut - spoken - 1, streams[0], steps: copies * script.trunk, tap: tap)
    default: return false
    }
    cut += 1
    return true
  }

  /// From the latents by their codes to what each stream adds.
  private mutating func listen(_ tap: Tap?) {
    let codebooks = model.config.codebooks
    let heard = codec.latents.map { latents in
      script.streams(Array(model.mimi.codes(latents).prefix(codebooks)), model)
    }
    targets = heard.map(\.targets)
    let inputs = heard.map { run in
      [script.prompt.tokens]
        + run.inputs.dropFirst().map { stream in script.prompt.positions.map { stream[$0] } }
    }
    func at(_ site: Site, _ x: Tensor) -> Tensor { tap?(site, x) ?? x }
    let text = at(
      Moshi.textPart,
      gatherRows(model.lm.embeddings, layout.stacked { s, t in inputs[s][0][t] }))
    let voice = at(
      Moshi.voicePart,
      model.embedded(inputs.map { Array($0[1...codebooks]) }, 0..<codebooks, layout))
    let user = model.embedded(
      inputs.map { Array($0[(codebooks + 1)...]) }, codebooks..<2 * codebooks, layout)
    streams = [at(Site(.connector, .out), user), text + voice]
  }

  private var positions: [Int] {
    layout.stacked(padding: 0) { _, t in script.prompt.positions[t] }
  }

  private mutating func advanceTemporal(_ layer: Int, _ tap: Tap?) {
    let (model, x, layout, positions) = (model, streams[0], layout, positions)
    streams[0] = record.layer(.lm, layer, keys: .rotK, tap: tap) { prefix, tap in
      model.lm.layer(layer, x, layout: layout, positions: positions, prefix: prefix, tap: tap)
    }
  }

  /// Up to where answers part, each step says its codes behind the text that is said in it.
  private mutating func enterDepth(_ tap: Tap) {
    let steps = layout.sequences.map { Array($0.range) }
    var final: Tensor?
    logits = model.lm.logits(
      streams[0], from: model.lm.blocks.count, layout: layout, positions: positions,
      rows: steps.flatMap { $0 }, tap: .keeping([Site(.lm, .final)], behind: tap) { final = $1 })
    let trunk = script.trunk
    let said = targets.map { targets -> [[Int]] in
      let text = script.prompt.tokens[1..<trunk] + [targets[0][trunk - 1]]
      return [Array(text)]
        + targets[1..<model.config.codebooks].map { Array($0.prefix(trunk)) }
    }
    let tokens = said[0].indices.map { k in said.flatMap { $0[k] } }
    streams[0] = model.depth.embedded(
      gatherRows(final!, steps.flatMap { $0.prefix(trunk) }), tokens, tap: tap)
  }

  // ## Where it stands

  var isText: Bool { cut >= temporal }

  var isCausal: Bool {
    (temporal...spoken).contains(cut) && record.known.keysValues[.lm] != nil
  }

  func positions(of copy: Int) -> Int {
    isText || cut > latents ? layout.sequences[copy].count : codec.positions(of: copy)
  }

  mutating func begin(at firsts: [Int]) {
    guard isCausal, firsts.contains(where: { $0 > 0 }) else { return }
    let part = layout.beginning(at: firsts)
    streams[0] = gatherRows(streams[0], layout.rows(of: part))
    layout = part
    record.prefix = record.known.keysValues[.lm]
  }

  func first(reachedFrom site: Site, _ positions: [Int]) -> Int {
    guard isText else { return 0 }
    return site.stage == .lm ? positions.min() ?? 0 : layout.sequences[0].count
  }

  func isLaidOutAhead(_ site: Site) -> Bool { false }

  func place(of site: Site, copy: Int) -> Place? {
    /// A step has heard the user up to its own beginning. Steps in which an answer is forced stand for
    /// text, though the first two still hear codes of the last frame.
    func span(_ step: Int) -> TimeSpan? {
      let duration = model.config.codec.frameDuration
      return (1..<script.heard).contains(step)
        ? TimeSpan(duration * Double(step - 1), duration * Double(step)) : nil
    }
    let index = Copy(index: copy, count: copies)
    switch site.stage {
    case .mimi, .mimiTransformer: return codec.place(of: site, copy: copy)
    case .depth:
      return model.depth.place(of: site, steps: copies * script.trunk, index, span: span)
    default:
      let heads = model.config.lm
      return site.place(
        in: layout, heads: heads.heads, keyHeads: heads.keyHeads, index, span: span)
    }
  }

  // ## The end

  func logits(_ reads: (Int) -> [Int], tap: Tap?) -> [Tensor] {
    var run = self
    while !run.isText, run.advance(tap: tap) {}
    let rows = run.layout.sequences.map { sequence in
      reads(sequence.count).map(sequence.row(of:))
    }
    if run.cut > spoken {
      // Codes are said behind the logits of all steps.
      let count = run.layout.sequences[0].count
      return (0..<copies).map { copy in
        gatherRows(run.logits!, reads(count).map { copy * count + $0 })
      }
    }
    return model.lm.logits(
      run.streams[0], from: run.cut - temporal, layout: run.layout, positions: run.positions,
      rows: rows.flatMap { $0 }, prefix: run.record.prefix, tap: tap
    ).divided(rows.map(\.count))
  }

  func finished(tap: Tap?) -> ModelRun {
    if cut == end { model.depth.logits(streams[0], steps: copies * script.trunk, tap: tap) }
    let all =
      logits
      ?? model.lm.logits(
        streams[0], from: model.lm.blocks.count, layout: layout, positions: positions,
        rows: Array(layout.sequences[0].range), tap: tap)
    return ModelRun(logits: all) { [places = laidOut] in places.place(of: $0, copy: 0) }
  }
}
