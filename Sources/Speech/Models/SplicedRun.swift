// The state of a run of an architecture that splices sound into a prompt: a second encoder where there
// is one, the encoder, the connector up to its waist and behind it, the language model, and a generator
// of speech where an answer is spoken.

import Tensor

/// Where a run stands.
private enum Standing: Hashable, Sendable {
  /// Before layer i of a second encoder, or behind the last.
  case second(Int)
  case encoder(Int)
  /// At the connector's waist, and at its output.
  case waist, connector
  case lm(Int)
  /// Before layer i of the generator of speech, or behind the last.
  case speech(Int)
}

extension AudioLanguageModel {
  /// Every cut with what lies behind it.
  private var chain: [(cut: Cut, standing: Standing)] {
    var chain: [(Cut, Standing)] = []
    if let beats = connector.secondEncoder?.beats {
      chain.append((Cut(Site(.beats, .embed), .branch), .second(0)))
      chain += (0..<beats.layers).map {
        (Cut(Site(.beats, $0, .residPost), .branch), .second($0 + 1))
      }
    }
    chain.append((Cut(Site(.encoder, .embed)), .encoder(0)))
    chain += encoder.blocks.indices.map { (Cut(Site(.encoder, $0, .residPost)), .encoder($0 + 1)) }
    chain.append((Cut(connector.waist, .other), .waist))
    chain.append((Cut(Site(.connector, .out)), .connector))
    chain.append((Cut(Site(.lm, .embed)), .lm(0)))
    chain += lm.blocks.indices.map { (Cut(Site(.lm, $0, .residPost)), .lm($0 + 1)) }
    if let generator {
      chain.append((Cut(Site(.generator, .embed), .spoken), .speech(0)))
      chain += (0..<generator.layers).map {
        (Cut(Site(.generator, $0, .residPost), .spoken), .speech($0 + 1))
      }
    }
    return chain
  }

  public var cuts: [Cut] { chain.map(\.cut) }

  fileprivate func index(of standing: Standing) -> Int {
    chain.firstIndex { $0.standing == standing }!
  }

  public func begin(_ input: ModelInput, remembering: Bool, tap: Tap?) throws -> any RunState {
    SplicedRun(self, try batch(input), response: input.response, remembering, tap)
  }
}

/// Runs of such a model at one of its cuts.
struct SplicedRun: RecordedRun {
  private let model: AudioLanguageModel
  private var standing: Standing
  private var batch: Batch
  var streams: [Tensor]
  var record: RunRecord
  /// The sound of one of the runs, which all have heard.
  private let sound: SoundBatch
  private let clips: [Clip]
  /// How many of the last tokens are spoken.
  private let response: Int?
  private var logits: Tensor?
  private var slots: Layout?

  fileprivate init(
    _ model: AudioLanguageModel, _ batch: Batch, response: Int?, _ remembers: Bool, _ tap: Tap?
  ) {
    (self.model, self.batch, self.response) = (model, batch, response)
    (record, sound, clips) = (RunRecord(remembering: remembers), batch.sound, batch.clips)
    if let beats = model.connector.secondEncoder?.beats {
      standing = .second(0)
      streams = [beats.embedded(clips, beats.layout(of: clips), tap: tap)]
    } else {
      standing = .encoder(0)
      let x = model.embedded(batch)
      streams = [tap?(Site(.encoder, .embed), x) ?? x]
    }
  }

  var cut: Int { model.index(of: standing) }

  func site(ofStream index: Int) -> Site? {
    index == 0 ? model.cuts[cut].site : model.connector.secondEncoder?.output
  }

  func stream(waiting site: Site) -> Int? {
    if !streams.isEmpty, self.site(ofStream: 0) == site { return 0 }
    // What the second encoder heard is read behind the encoder's last layer.
    guard case .encoder = standing, streams.count > 1, self.site(ofStream: 1) == site else {
      return nil
    }
    return 1
  }

  func stacked(_ copies: Int, knowing memory: RunMemory) -> SplicedRun {
    var run = self
    run.record = record.stacked(copies, knowing: memory)
    run.batch = batch.repeated(copies)
    run.streams = streams.map { $0.repeated(copies) }
    run.logits = logits?.repeated(copies)
    run.slots = slots?.repeated(copies)
    return run
  }

  // ## Going on

  func prepared() -> RunMemory {
    guard case .encoder(let layer) = standing, layer < model.encoder.blocks.count else {
      return RunMemory()
    }
    return model.encoder.blocks[layer].projections(streams[0]).memory(layer: layer)
  }

  mutating func advance(tap: Tap?) -> Bool {
    switch standing {
    case .second(let layer): advanceSecond(layer, tap)
    case .encoder(let layer) where layer < model.encoder.blocks.count:
      let block = model.encoder.blocks[layer]
      streams[0] = block(
        streams[0], layer: layer, layout: batch.encoder,
        knowing: EncoderBlock.Projections(record.known, layer: layer), tap: tap)
      standing = .encoder(layer + 1)
      if layer + 1 == model.encoder.blocks.count, streams.count > 1 {
        record.keep(Site(.encoder, layer, .residPost), streams[0])
      }
    case .encoder:
      streams = [
        model.connector.entering(
          streams[0], norm: model.encoder.norm, heard: streams.count > 1 ? streams[1] : nil,
          in: &batch, tap: tap)
      ]
      standing = .waist
    case .waist:
      streams[0] = model.connector.leaving(streams[0], in: batch, tap: tap)
      standing = .connector
    case .connector:
      streams[0] = model.spliced(streams[0], batch, tap)
      standing = .lm(0)
    case .lm(let layer) where layer < model.lm.blocks.count:
      let (model, x, batch) = (model, streams[0], batch)
      streams[0] = record.layer(.lm, layer, keys: .rotK, tap: tap) { prefix, tap in
        model.lm.layer(
          layer, x, layout: batch.lm, positions: batch.positions, prefix: prefix, tap: tap)
      }
      standing = .lm(layer + 1)
    case .lm: return advanceToSpeech(tap)
    case .speech(let layer) where layer < model.generator!.layers:
      let (generator, x, slots) = (model.generator!, streams[0], slots!)
      streams[0] = record.layer(.generator, layer, keys: .rotK, tap: tap) { prefix, tap in
        generator.layer(layer, x, slots, prefix: prefix, tap: tap)
      }
      standing = .speech(layer + 1)
    case .speech: return false
    }
    return true
  }

  private mutating func advanceSecond(_ layer: Int, _ tap: Tap?) {
    let second = model.connector.secondEncoder!
    guard layer == second.beats.layers else {
      streams[0] = second.beats.layer(
        layer, streams[0], second.beats.layout(of: batch.clips), tap: tap)
      standing = .second(layer + 1)
      return
    }
    let heard = second.heard(streams[0], tap: tap)
    let layers = model.encoder.blocks.count
    if let encoded = record.known.outputs[Site(.encoder, layers - 1, .residPost)] {
      // What was changed is not in Whisper's encoder, whose output is known.
      streams = [encoded.repeated(copies), heard]
      standing = .encoder(layers)
    } else {
      let x = model.encoder.embedded(sound).repeated(copies)
      streams = [tap?(Site(.encoder, .embed), x) ?? x, heard]
      standing = .encoder(0)
    }
  }

  private mutating func advanceToSpeech(_ tap: Tap?) -> Bool {
    guard let response, let generator = model.generator else { return false }
    let positions = batch.lm.sequences.map { Array($0.range) }
    var final: Tensor?
    logits = model.lm.logits(
      streams[0], from: model.lm.blocks.count, layout: batch.lm, positions: batch.positions,
      rows: positions.flatMap { $0 },
      tap: .keeping([Site(.lm, .final)], behind: tap) { final = $1 })
    slots = generator.layout(tokens: positions.map { min(response + 1, $0.count) })
    streams[0] = generator.embedded(
      gatherRows(final!, positions.flatMap { $0.suffix(response + 1) }), slots!, tap: tap)
    standing = .speech(0)
    record.prefix = nil
    return true
  }

  // ## Where it stands

  /// Speech is made of all positions, so that they are all computed where an answer is spoken.
  var isCausal: Bool {
    switch standing {
    case .lm: response == nil && record.known.keysValues[.lm] != nil
    case .speech: record.known.keysValues[.generator] != nil
    default: false
    }
  }

  private var layout: Layout {
    switch standing {
    case .second: model.connector.secondEncoder!.beats.layout(of: batch.clips)
    case .encoder: batch.encoder
    case .waist, .connector: batch.audio
    case .lm: batch.lm
    case .speech: slots!
    }
  }

  func positions(of copy: Int) -> Int { layout.sequences[copy].count }

  mutating func begin(at firsts: [Int]) {
    guard isCausal, firsts.contains(where: { $0 > 0 }) else { return }
    let part = layout.beginning(at: firsts)
    streams[0] = gatherRows(streams[0], layout.rows(of: part))
    if case .speech = standing {
      slots = part
      record.prefix = record.known.keysValues[.generator]
    } else {
      batch = batch.beginning(at: firsts)
      record.prefix = record.known.keysValues[.lm]
    }
  }

  func first(reachedFrom site: Site, _ positions: [Int]) -> Int {
    switch standing {
    case .lm where site.stage == .lm, .speech: positions.min() ?? 0
    case .lm: layout.sequences[0].count
    default: 0
    }
  }

  var isText: Bool {
    switch standing {
    case .lm, .speech: true
    default: false
    }
  }

  func place(of site: Site, copy: Int) -> Place? {
    let copy = Copy(index: copy, count: copies)
    if site.stage == .generator {
      return slots.flatMap { model.generator?.place(of: site, in: $0, copy) }
    }
    return model.place(of: site, in: batch, copy)
  }

  func isLaidOutAhead(_ site: Site) -> Bool {
    guard model.connector.dropsRows, batch.frozen == nil else { return false }
    let waist = model.index(of: .waist)
    return cut < waist && (model.cut(before: site) ?? 0) >= waist
  }

  // ## The end

  func logits(_ reads: (Int) -> [Int], tap: Tap?) -> [Tensor] {
    var run = self
    while !run.isText, run.advance(tap: tap) {}
    let rows = run.batch.lm.sequences.map { sequence in
      reads(sequence.count).map(sequence.row(of:))
    }
    let all: Tensor
    if case .lm(let layer) = run.standing {
      all = model.lm.logits(
        run.streams[0], from: layer, layout: run.batch.lm, positions: run.batch.positions,
        rows: rows.flatMap { $0 }, prefix: run.record.prefix, tap: tap)
    } else {
      // Speech comes behind the logits of all positions.
      let counts = run.batch.lm.sequences.map(\.count)
      let starts = counts.indices.map { counts[..<$0].reduce(0, +) }
      all = gatherRows(
        run.logits!, zip(starts, counts).flatMap { start, count in reads(count).map { start + $0 } }
      )
    }
    return all.divided(rows.map(\.count))
  }

  func finished(tap: Tap?) -> ModelRun {
    var units: [Int]?
    var logits = logits
    if case .speech = standing {
      units = model.generator!.units(streams[0], slots!.sequences[0], tap: tap)
    } else if case .lm(let layer) = standing {
      logits = model.lm.logits(
        streams[0], from: layer, layout: batch.lm, positions: batch.positions,
        rows: Array(batch.lm.sequences[0].range), tap: tap)
    }
    return ModelRun(logits: logits!, units: units) { [places = laidOut] in
      places.place(of: $0, copy: 0)
    }
  }
}

extension Tensor {
  /// Stretches of so many rows.
  func divided(_ counts: [Int]) -> [Tensor] {
    if counts.count == 1 { return [self] }
    var first = 0
    return counts.map { count in
      defer { first += count }
      return gatherRows(self, Array(first..<(first + count)))
    }
  }
}
