//! Devices, settings of the process, batches.

use nshot_torch::{Device, HostBatch, Precision, initialise, read_values, scalar, versions};

use crate::support::{assert_close, texts};

#[test]
fn devices_and_types_by_name() {
    assert_eq!(Device::parse("cpu").unwrap(), Device::Cpu);
    let auto = Device::parse("auto").unwrap();
    assert_eq!(auto == Device::Cpu, versions().cuda_devices == 0);
    texts(&Device::parse("cuda:99").unwrap_err(), &["`cuda:99`", "`auto`, `cpu`"]);
    texts(&Device::parse("tpu").unwrap_err(), &["`tpu`"]);
    assert_eq!(Precision::parse("float64").unwrap().to_string(), "float64");
    texts(&Precision::parse("half").unwrap_err(), &["`half`", "`float32` or `float64`"]);
}

#[test]
fn settings_hold_and_may_be_repeated() {
    for _ in 0..2 {
        initialise(1).unwrap();
    }
    let versions = versions();
    assert_eq!(versions.threads, 1);
    assert!(versions.libtorch.starts_with("2.") && !versions.cpu_capability.is_empty(), "{versions:?}");
    texts(&initialise(0).unwrap_err(), &["0 threads", "1 to 1024"]);
}

#[test]
fn batches_in_either_order_are_equal() {
    let planes: Vec<f32> = (0..2 * 3 * 2 * 2).map(|i| i as f32).collect();
    let mut pixels = vec![0f32; planes.len()];
    for (i, value) in planes.iter().enumerate() {
        let (n, c, at) = (i / 12, i / 4 % 3, i % 4);
        pixels[n * 12 + at * 3 + c] = *value;
    }
    let host = |values: &[f32], last| HostBatch::new(values, &[4, 2], [2, 3, 2, 2], last, Device::Cpu);
    let make = |values, last| host(values, last).unwrap().upload(Device::Cpu, Precision::Float64).unwrap();
    let ((a, labels), (b, _)) = (make(&planes, false), make(&pixels, true));
    assert_close(&a, &b, 0.0);
    assert_eq!((a.stride(), b.stride()), (vec![12, 1, 6, 3], vec![12, 1, 6, 3]));
    texts(&host(&planes[1..], false).unwrap_err(), &["[2, 3, 2, 2]", "23 values and 2 labels"]);
    assert_eq!(read_values(&labels).unwrap(), [4.0, 2.0]);
    assert_eq!(scalar(0.5, Device::Cpu, Precision::Float32).unwrap().size(), Vec::<i64>::new());
}
