// The state of a run of Whisper: the encoder, then the decoder with the encoder's output beside it.

import Tensor

extension Whisper {
  public var cuts: [Cut] {
    [Cut(Site(.encoder, .embed))]
      + encoder.blocks.indices.map { Cut(Site(.encoder, $0, .residPost)) }
      + [Cut(Site(.encoder, .final), .other), Cut(Site(.decoder, .embed))]
      + (0..<decoder.layers).map { Cut(Site(.decoder, $0, .residPost)) }
  }

  /// - Parameter input: its tokens are the decoder's, from the start of the transcript on; what is
  ///   forced and the continuations follow them
  public func begin(_ input: ModelInput, remembering: Bool, tap: Tap?) throws -> any RunState {
    let said = try decoder.checked(input)
    let sound = try SoundBatch(config.encoder, clips: [input.clip])
    let x = encoder.embedded(sound)
    return WhisperRun(
      self, tap?(Site(.encoder, .embed), x) ?? x, sound.encoder, said, remembering)
  }
}

/// Runs of Whisper at one of its cuts. Beside the decoder's residual stream stands what it attends to:
/// that of all runs where they share it.
struct WhisperRun: RecordedRun {
  private let model: Whisper
  private(set) var cut = 0
  var streams: [Tensor]
  var record: RunRecord
  /// The encoder's rows, and those that the decoder's keys come from.
  private var sound: Layout
  /// Whether all runs attend to the same sound, of which the keys and values may be known.
  private var sharesSound = false
  private let said: Prompt
  private var text: Layout

  fileprivate init(
    _ model: Whisper, _ x: Tensor, _ sound: Layout, _ said: Prompt, _ remembers: Bool
  ) {
    (self.model, streams, self.sound, self.said) = (model, [x], sound, said)
    record = RunRecord(remembering: remembers)
    text = Layout(counts: [said.tokens.count], visible: [said.visible])
  }

  /// The cuts behind the encoder: before its norm, behind it, and before the decoder's first layer.
  private var encoded: Int { model.encoder.blocks.count }
  private var decoding: Int { encoded + 2 }

  func site(ofStream index: Int) -> Site? {
    index == 0 ? model.cuts[cut].site : Site(.encoder, .final)
  }

  func stacked(_ copies: Int, knowing memory: RunMemory) -> WhisperRun {
    var run = self
    run.record = record.stacked(copies, knowing: memory)
    run.streams[0] = streams[0].repeated(copies)
    run.sharesSound = isText
    run.sound = isText ? sound.shared(by: copies) : sound.repeated(copies)
    run.text = text.repeated(copies)
    return run
  }

  func prepared() -> RunMemory {
    guard cut < encoded else { return RunMemory() }
    return model.encoder.blocks[cut].projections(streams[0]).memory(layer: cut)
  }

  mutating func advance(tap: Tap?) -> Bool {
    switch cut {
    case ..<encoded:
      streams[0] = model.encoder.blocks[cut](
        streams[0], layer: cut, layout: sound,
        knowing: EncoderBlock.Projections(record.known, layer: cut), tap: tap)
    case encoded:
      let normed = model.encoder.norm(streams[0])
      streams[0] = tap?(Site(.encoder, .final), normed) ?? normed
    case encoded + 1:
      let x = model.decoder.embedded(
        said, Layout(counts: [said.tokens.count], visible: [said.visible])
      ).repeated(copies)
      streams = [tap?(Site(.decoder, .embed), x) ?? x, streams[0]]
    case ..<(decoding + model.decoder.layers):
      streams[0] = decoded(cut - decoding, wanted: nil, tap)
    default: return false
    }
    cut += 1
    return true
  }

  /// The residual stream behind a layer of the decoder.
  private mutating func decoded(_ layer: Int, wanted: PackedRows?, _ tap: Tap?) -> Tensor {
    let names = (
      k: Site(.decoder, layer, .crossK), v: Site(.decoder, layer, .crossV)
    )
    var (key, value): (Tensor, Tensor)
    if sharesSound, let k = record.known.outputs[names.k],
      let v = record.known.outputs[names.v]
    {
      (key, value) = (k, v)
    } else {
      (key, value) = model.decoder.crossing(streams[1], layer: layer)
    }
    var (keys, values) = (sound, sound)
    if sharesSound, copies > 1 {
      // Somebody may change them for one run and not for another. Where patterns are looked at, keys and
      // values lie alike.
      func isHeard(_ site: Site) -> Bool { tap?.listens(to: site) == true }
      let own = Layout(
        counts: sound.sequences.map(\.count), visible: sound.sequences.map(\.visible))
      let (k, v) = (isHeard(names.k), isHeard(names.v))
      let isBoth = (k || v) && isHeard(Site(.decoder, layer, .crossPattern))
      if k || isBoth { (key, keys) = (key.repeated(copies), own) }
      if v || isBoth { (value, values) = (value.repeated(copies), own) }
    }
    record.keep(names.k, key)
    record.keep(names.v, value)
    let x = streams[0]
    let crossed = CrossedSound(key: key, value: value, keys: keys, values: values)
    return record.layer(.decoder, layer, keys: .k, tap: tap) { [model, text] prefix, tap in
      model.decoder.layer(
        layer, x, rows: text, sound: crossed, prefix: prefix, wanted: wanted, tap: tap)
    }
  }

  /// Other sound changes every position of the text.
  var isCausal: Bool { isText && sharesSound && record.known.keysValues[.decoder] != nil }

  func positions(of copy: Int) -> Int {
    (isText ? text : sound).sequences[copy].count
  }

  mutating func begin(at firsts: [Int]) {
    guard isCausal, firsts.contains(where: { $0 > 0 }) else { return }
    let part = text.beginning(at: firsts)
    streams[0] = gatherRows(streams[0], text.rows(of: part))
    text = part
    record.prefix = record.known.keysValues[.decoder]
  }

  /// Other keys and values of the sound change every position behind them.
  func first(reachedFrom site: Site, _ positions: [Int]) -> Int {
    isText && site.activation != .crossK && site.activation != .crossV ? positions.min() ?? 0 : 0
  }

  var isText: Bool { cut >= decoding }

  func place(of site: Site, copy: Int) -> Place? {
    let copy = Copy(index: copy, count: copies)
    if site.stage == .decoder {
      let keys = Layout(
        counts: sound.sequences.map(\.count), visible: sound.sequences.map(\.visible))
      return model.decoder.place(of: site, text: text, sound: keys, copy)
    }
    let heads = model.config.encoder.heads
    return site.place(in: sound, heads: heads, keyHeads: heads, copy) { .centred($0, step: 20) }
  }

  func isLaidOutAhead(_ site: Site) -> Bool { false }

  func logits(_ reads: (Int) -> [Int], tap: Tap?) -> [Tensor] {
    var run = self
    let last = decoding + model.decoder.layers - 1
    while run.cut < last, run.advance(tap: tap) {}
    let read = run.text.sequences.map { sequence in
      reads(sequence.count).map(sequence.row(of:))
    }
    var rows = read.flatMap { $0 }
    if run.cut == last, !run.streams[0].isDifferentiated,
      tap?.listens(to: .decoder, behindKeysOf: last - decoding) != true
    {
      // Behind the last layer's keys and values only these rows are read.
      let wanted = PackedRows(rows)
      run.streams[0] = run.decoded(last - decoding, wanted: wanted, tap)
      rows = wanted.places
    } else {
      while run.advance(tap: tap) {}
    }
    return model.decoder.read(run.streams[0], rows, tap: tap).divided(read.map(\.count))
  }

  func finished(tap: Tap?) -> ModelRun {
    let logits = model.decoder.read(
      streams[0], Array(text.sequences[0].range), tap: tap)
    return ModelRun(logits: logits) { [places = laidOut] in places.place(of: $0, copy: 0) }
  }
}
